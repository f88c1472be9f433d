"""The production server as processes of their own, and what they leave in their log.

`python -m tests.resilience.server DESCRIPTOR PRELOAD` serves on a socket that it inherits. The socket stays open here:
whoever comes while the server is dead waits for the next one, as behind systemd's socket activation, and no port is
fixed.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

from tests.programs import output_of
from tokens.events import MESSAGES

ROOT = Path(__file__).resolve().parent.parent.parent
URLS = os.environ.get("FAULTS_URLS", "project.urls")


class Site:
    """An installation: an environment, a database, a log. Its servers end with the block."""

    def __init__(self, folder: Path, database_url: str, **environment: str) -> None:
        self.log = folder / "server.log"
        self.servers: list[Server] = []
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONWARNINGS": "ignore",
            "DJANGO_SETTINGS_MODULE": "tests.resilience.settings",
            "SECRET_KEY": "of no use anywhere else, and long enough for the checks",
            "ALLOWED_HOSTS": "127.0.0.1,localhost",
            "DATABASE_URL": database_url,
            "EMAIL_URL": "memorymail://",
            "SECURE_SSL_REDIRECT": "false",
            "STATIC_ROOT": str(folder),
            "TOKENS_ISSUER": "http://localhost",
            **environment,
        }

    def __enter__(self) -> "Site":
        return self

    def __exit__(self, *exception: object) -> None:
        for server in self.servers:
            server.close()

    def jars(self, number: int) -> list[dict[str, str]]:
        """The cookies of `number` people, each newly signed in."""
        return [jar for [jar] in self.people(number, each=1)]

    def people(self, number: int, each: int) -> list[list[dict[str, str]]]:
        """For each of `number` people the jars of `each` browsers, newly signed in."""
        printed = output_of("-m", "tests.resilience.people", str(number), str(each), env=self.environment)
        people: list[list[dict[str, str]]] = json.loads(printed)
        return people

    def serve(self, *, preload: bool = False) -> "Server":
        """One more server of this installation, which answers already. With `preload`, a new worker is there in no
        time, because its master has loaded the site for it."""
        server = Server(self, preload)
        self.servers.append(server)
        server.start()
        server.wait()
        return server

    def branches(self) -> Counter[str]:
        """How often each branch of the rule was taken, by what the log says."""
        text = self.log.read_text()
        return Counter({branch.value: text.count(sentence) for branch, (_, sentence) in MESSAGES.items()})


class Server:
    """gunicorn's master and its workers, in a process group of their own, on one socket."""

    def __init__(self, site: Site, preload: bool) -> None:
        self.site, self.preload = site, preload
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port: int = self.socket.getsockname()[1]
        self.masters: list[subprocess.Popen[bytes]] = []
        self.killed: set[int] = set()

    @property
    def master(self) -> subprocess.Popen[bytes]:
        return self.masters[-1]

    def start(self) -> None:
        """Starts a master, beside whatever is left of the one before."""
        descriptor = self.socket.fileno()
        with self.site.log.open("ab") as log:
            master = subprocess.Popen(
                [sys.executable, "-m", "tests.resilience.server", str(descriptor), str(self.preload)],
                cwd=ROOT,
                env=self.site.environment,
                stdout=log,
                stderr=log,
                pass_fds=[descriptor],
                start_new_session=True,
            )
        self.masters.append(master)

    def wait(self, seconds: float = 30) -> None:
        """Until it answers."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as asking:
            asking.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert asking.recv(12) == b"HTTP/1.1 200", self.site.log.read_text()

    def workers(self) -> list[int]:
        """The processes of the newest master, the oldest first; none that was killed here and is not buried yet."""
        found = subprocess.run(["pgrep", "-P", str(self.master.pid)], capture_output=True, text=True)
        return sorted({int(pid) for pid in found.stdout.split()} - self.killed)

    def kill_worker(self, worker: int) -> None:
        os.kill(worker, signal.SIGKILL)
        self.killed.add(worker)

    def kill(self) -> None:
        """kill -9 of the master; its workers find themselves orphaned, and leave."""
        self.master.kill()
        self.master.wait()

    def terminate(self) -> None:
        self.master.send_signal(signal.SIGTERM)

    def close(self) -> None:
        """Ends every process that was started here, orphans too."""
        self.socket.close()
        for master in self.masters:
            with suppress(ProcessLookupError):
                os.killpg(master.pid, signal.SIGKILL)
            master.wait()


if __name__ == "__main__":
    from project.server import Server as Gunicorn

    gunicorn = Gunicorn([socket.socket(fileno=int(sys.argv[1]))])
    gunicorn.cfg.set("preload_app", sys.argv[2] == "True")
    gunicorn.cfg.set("workers", 2)  # whatever the cache: one of them is to be killed, or to know less than the other
    gunicorn.cfg.set("threads", 8)
    gunicorn.run()
