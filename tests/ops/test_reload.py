"""ops/gunicorn.conf.py behind ops/nginx, on a socket as systemd hands it over: a new version loses no request."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.ops import nginx
from tests.resilience.server import Site
from tests.smtp import wait_until

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent.parent
VISITORS = 6
# systemd's own way: the socket is the third descriptor, and meant for this very process (sd_listen_fds(3)).
AS_SYSTEMD = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


class Unit:
    """The server, as its unit starts it, on a socket that outlives it."""

    def __init__(self, folder):
        self.site = Site(
            folder, f"sqlite:///{folder}/db.sqlite3", FAULTS_URLS="tests.resilience.urls", WEB_CONCURRENCY="2"
        )
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(folder / "socket"))
        self.socket.listen(1024)
        self.notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notified.bind(str(folder / "notify"))
        self.notified.settimeout(30)
        self.environment = {**self.site.environment, "NOTIFY_SOCKET": str(folder / "notify")}

    def start(self):
        gunicorn = ["-m", "gunicorn", "--config", "ops/gunicorn.conf.py", "project.wsgi"]
        with self.site.log.open("ab") as log:
            self.master = subprocess.Popen(
                [sys.executable, "-c", AS_SYSTEMD, str(self.socket.fileno()), *gunicorn],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                pass_fds=[self.socket.fileno()],
                start_new_session=True,
            )
        while b"READY=1" not in self.notified.recv(4096):
            """Type=notify waits for that."""

    def workers(self):
        found = subprocess.run(["pgrep", "-P", str(self.master.pid)], capture_output=True, text=True)
        return set(found.stdout.split())

    def reload(self):
        old = self.workers()
        self.master.send_signal(signal.SIGHUP)
        wait_until(lambda: len(self.workers()) == 2 and not old & self.workers())

    def restart(self):
        self.master.terminate()
        assert self.master.wait(60) == 0
        self.start()

    def close(self):
        self.socket.close()
        self.notified.close()
        try:
            os.killpg(self.master.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.master.wait()


@pytest.fixture
def unit(tmp_path):
    unit = Unit(tmp_path)
    try:
        unit.start()
        yield unit
    finally:
        unit.close()


@pytest.fixture
def port(unit, tmp_path):
    with nginx.serving(tmp_path, [f"unix:{tmp_path}/socket"]) as (_, port):
        wait_until(lambda: answered(port, "/healthz") == 200)
        yield port


def answered(port, path):
    """The status, or why there is none."""
    try:
        with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            connection.request("GET", path, headers={"Host": "localhost"})
            answer = connection.getresponse()
            answer.read()
            return answer.status
    except OSError as error:
        return type(error).__name__


def test_neither_a_reload_nor_a_restart_loses_a_request(unit, port, tell):
    seen, over = Counter(), threading.Event()

    def visit(path):
        while not over.is_set():
            seen[path, answered(port, path)] += 1

    visitors = [threading.Thread(target=visit, args=("/healthz",)) for _ in range(VISITORS)]
    visitors += [threading.Thread(target=visit, args=("/slow/?seconds=0.5",)) for _ in range(2)]
    for visitor in visitors:
        visitor.start()
    try:
        for act in (unit.reload, unit.restart):
            before = seen.total()
            act()
            wait_until(lambda before=before: seen.total() >= before + 50)
    finally:
        over.set()
        for visitor in visitors:
            visitor.join()
    tell(f"A reload and a restart under load, behind nginx: {seen.total()} requests, answers {dict(seen)}")
    assert set(seen) == {("/healthz", 200), ("/slow/?seconds=0.5", 200)}, unit.site.log.read_text()
