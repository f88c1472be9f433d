"""A real MariaDB for the tests, from the system's packages: no service, no port, no password, gone afterwards."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.postgres import give_up

# Nothing here outlives the tests, so nothing has to reach the disk.
OPTIONS = ["--skip-networking", "--skip-grant-tables", "--innodb-flush-log-at-trx-commit=0"]
CHARACTERS = "--character-set-server=utf8mb4"
TIMEOUT = 60  # seconds that the server may take to start


@contextmanager
def running() -> Iterator[str]:
    """Yield the DATABASE_URL of a server which ends with the block."""
    program = shutil.which("mariadbd", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
    if program is None:
        give_up("No MariaDB here: `apt install mariadb-server-core`.")
    with tempfile.TemporaryDirectory(prefix="sojourn-my-", dir="/tmp") as name:  # a socket path is short
        folder = Path(name)
        server = start(program, folder)
        try:
            yield f"mysql://root@localhost/site?unix_socket={folder}/socket"
        finally:
            server.kill()
            server.wait()


def start(program: str, folder: Path) -> subprocess.Popen[bytes]:
    """Start a server on a socket in `folder`. Its own tables would say who may come in; anybody who finds it may."""
    (folder / "data").mkdir()
    own = ["--no-defaults", f"--datadir={folder}/data", f"--socket={folder}/socket", f"--log-error={folder}/log"]
    server = subprocess.Popen([program, *own, "--user=root", *OPTIONS, CHARACTERS], stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + TIMEOUT
    while server.poll() is None and time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
            client.connect(f"{folder}/socket")
            client.recv(1)  # its greeting
            return server
        time.sleep(0.05)
    server.kill()
    raise RuntimeError((folder / "log").read_text())
