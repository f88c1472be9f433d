"""The production server with the project's own configuration, as a process group that ends with the block."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

from . import load

CONFIGURATION = Path(__file__).parents[2] / "ops" / "gunicorn.conf.py"
# structlog loads `rich` where there is one: only the tools of the tests bring it, and each worker would have 9 MB more.
GUNICORN = "import sys; sys.modules['rich'] = None; from gunicorn.app.wsgiapp import run; run()"
PYTHON = (sys.executable, "-W", "ignore")
COMMAND = (
    *(*PYTHON, "-c", GUNICORN),
    *("--config", str(CONFIGURATION), "--bind", "fd://{fd}", "project.wsgi"),
)
TIMEOUT = 60  # seconds for the first answer


class Server:
    """Serves `lab.benchmarks.site`; raises SystemExit if it does not answer. What it said is shown then.

    `first_answer` is how many seconds that took, from the start of the process.
    """

    def __init__(
        self, environment: Mapping[str, str], first: str = "/healthz", command: Sequence[str] = COMMAND
    ) -> None:
        self.environment, self.first, self.command = dict(environment), first, command

    def __enter__(self) -> Server:
        began = monotonic()
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
            self.port: int = listener.getsockname()[1]
            self.said = tempfile.TemporaryFile()
            self.process = subprocess.Popen(  # noqa: S603
                [part.format(fd=listener.fileno()) for part in self.command],
                env=self.environment,
                pass_fds=[listener.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self.said,
                stderr=self.said,
                start_new_session=True,
            )
        try:
            self._wait(began + TIMEOUT)
        except BaseException as error:
            self.__exit__(error)
            raise
        self.first_answer = monotonic() - began
        return self

    def __exit__(self, *exception: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if any(exception):
            self.said.seek(0)
            sys.stderr.write(f"The server said:\n{self.said.read().decode()[-5000:]}\n")
        self.said.close()

    def memory(self, what: str = "VmRSS") -> int:
        """Return the bytes of the largest worker with its processes, 0 without /proc.

        `VmHWM` is the most that each ever had.
        """
        workers = _children(str(self.process.pid))
        return max((sum(_status(each, what) for each in (worker, *_children(worker))) for worker in workers), default=0)

    def _wait(self, until: float) -> None:
        while self.process.poll() is None and monotonic() < until:
            with suppress(OSError):
                if load.get(self.port, self.first) == 200:
                    return
                break
            sleep(0.01)
        raise SystemExit("The server does not answer.")


def _children(process: str) -> list[str]:
    """Return those that any of its threads has started."""
    return [child for file in Path(f"/proc/{process}/task").glob("*/children") for child in file.read_text().split()]


def _status(process: str, what: str) -> int:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(what))
