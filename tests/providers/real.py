"""The provider in node/, a process of its own, which can be killed, held still and started with other keys."""

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import SIGCONT, SIGSTOP

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from tests.interop import service
from tests.smtp import wait_until

FOLDER = Path(__file__).parent / "node"


class Provider:
    """Its address stays while it is dead. It knows one client, which comes back to `redirect_uri`."""

    def __init__(self, folder: Path, certificate: Path, redirect_uri: str) -> None:
        self.folder, self.log = folder, folder / "provider.log"
        self._port = socket.socket()  # never listens: it holds the port
        self._port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._port.bind(("127.0.0.1", 0))
        self.address = self._port.getsockname()
        self.issuer = f"https://localhost:{self.address[1]}"
        self.environment = {"CERTIFICATE": str(certificate), "ISSUER": self.issuer, "REDIRECT_URI": redirect_uri}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, kid: str, key: RSAPrivateKey) -> None:
        """Start it with this key, and nothing of what it knew; return once it listens."""
        self.kill()
        keys = json.dumps({"keys": [{**jwt.algorithms.RSAAlgorithm.to_jwk(key, as_dict=True), "kid": kid}]})
        command = [service.programs() / "bin/node", "server.js"]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=self.folder, env={**self.environment, "KEYS": keys}, stdout=log, stderr=log
            )
        wait_until(lambda: self._listens() or not self.runs)
        assert self.runs, self.log.read_text()

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    @contextmanager
    def still(self) -> Iterator[None]:
        """Let it accept connections and answer none as long as the block lasts."""
        assert self._process
        self._process.send_signal(SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(SIGCONT)

    def close(self) -> None:
        self.kill()
        self._port.close()

    def _listens(self) -> bool:
        with suppress(OSError), socket.create_connection(self.address):
            return True
        return False
