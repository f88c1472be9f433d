"""How often each branch of the rule is taken, hour by hour, for the front page of the admin.

A refresh is no event and costs no write. So each process counts in memory, and a minute after the first of it adds what
came together to the rows that all processes share, from a thread of its own: one write a minute at most, and none for
which anybody waits.

Not counted is what a process had in memory when it was killed, or its machine died: a minute's worth, or more while the
database was away. And it is counted what the server decided, whether or not its answer arrived.
"""

import atexit
import logging
import os
import threading
from collections import Counter
from contextlib import suppress
from datetime import datetime

from django.db import Error, connections
from django.utils import timezone

from accounts.models import Tally

logger = logging.getLogger("accounts")

WRITE_AFTER = 60.0  # seconds


def count(branch: str) -> None:
    """One more, in this process. Costs no query."""
    _mine().count(branch)


@atexit.register
def write() -> None:
    """Write down what this process has counted, now."""
    if os.getpid() in _counts:
        _mine().write()


class Counts:
    """What one process has counted and not written yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: Counter[tuple[datetime, str]] = Counter()
        self._timer: threading.Timer | None = None

    def count(self, branch: str) -> None:
        hour = timezone.now().replace(minute=0, second=0, microsecond=0)
        with self._lock:
            self._numbers[hour, branch] += 1
            self._start()

    def write(self) -> None:
        """What cannot be written now is written with what comes next."""
        with self._lock:
            numbers, self._numbers = self._numbers, Counter()
        try:
            if numbers:
                Tally.objects.add(numbers)
        except Error:
            logger.warning("The tallies cannot be written. They are kept, and tried again.")
            with self._lock:
                self._numbers.update(numbers)

    def _start(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(WRITE_AFTER, self._go)
            self._timer.daemon = True
            self._timer.start()

    def _go(self) -> None:
        self._timer = None  # before the numbers are taken: whatever is counted from now on has a timer
        self.write()
        with suppress(Error):
            connections.close_all()


_counts: dict[int, Counts] = {}  # by process: neither a thread nor a lock survives a fork


def _mine() -> Counts:
    process = os.getpid()
    return _counts.get(process) or _counts.setdefault(process, Counts())
