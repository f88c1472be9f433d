"""The revocation list: the ids of rows that changed lately, held in each process.

An access token is good until it expires, so something must catch those whose sign-in has ended meanwhile. The
list does, without a query for each request. An entry is never a verdict: it sends the request to the row.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic

from django.db import Error

from .conf import conf
from .exceptions import RevocationListUnavailable
from .signals import list_read

OVERLAP = 60  # seconds that a transaction may take between its statement and its commit
WHOLE_EVERY = 60  # seconds between two readings of the whole window, for those that took longer

Read = Callable[[float], Iterable[tuple[object, object]]]


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A row that changed: by what this change is told from another (None: in this process, a moment ago), and when
    this process first heard of it."""

    change: int | None
    heard_at: float


class RevocationList:
    """What this process knows. Times are of the monotonic clock, so that a stepped clock changes nothing.

    Of ids and of times it keeps hashes, which take a third of the room. An id whose hash is another's too is asked of
    the table in vain, no more.
    """

    def __init__(self) -> None:
        self._entries: dict[int, Entry] = {}
        self._lock = threading.Lock()
        self._tried_at = self._read_at = self._whole_at = float("-inf")

    def entry(self, sid: str, read: Read) -> Entry | None:
        """The newest entry for the row `sid`, or None. `read(seconds)` gives ids and times of the rows that changed
        within that many seconds; it is asked at most once every TOKENS_REVOCATION_LAG.

        Raises RevocationListUnavailable if it could not be asked for longer than TOKENS_REVOCATION_GRACE.
        """
        now = monotonic()
        self._freshen(read, now)
        entry = self._entries.get(hash(sid))
        return entry if entry and now - entry.heard_at <= conf.access_lifetime + OVERLAP else None

    def known(self, sid: str) -> Entry | None:
        """The newest entry for the row `sid` that this process has heard of, without asking."""
        return self._entries.get(hash(sid))

    def mark(self, ids: Iterable[object]) -> None:
        """Enters rows that this process has just changed. A reading only adds, so none that began before the
        change can undo this."""
        now = monotonic()
        self._entries |= {hash(str(sid)): Entry(None, now) for sid in ids}

    def forget(self) -> None:
        """Starts anew, as a new process would."""
        self.__init__()  # type: ignore[misc]

    def _freshen(self, read: Read, asked_at: float) -> None:
        if asked_at - self._tried_at < conf.revocation_lag and self._is_recent(asked_at):
            return
        # Whoever has nothing recent to go by waits for a reading that is under way; the others need not hang with it.
        if self._lock.acquire(blocking=conf.revocation_lag == 0 or not self._is_recent(asked_at)):
            try:
                if asked_at - self._tried_at >= conf.revocation_lag:
                    self._take(read, monotonic())
            finally:
                self._lock.release()
        if not self._is_recent(asked_at):
            raise RevocationListUnavailable("What has been revoked could not be read for too long.")

    def _take(self, read: Read, now: float) -> None:
        whole = now - self._whole_at >= WHOLE_EVERY
        self._tried_at = now
        try:
            rows = read(2 * conf.access_lifetime if whole else now - self._read_at + OVERLAP)
            for sid, changed_at in rows:
                self._hear(hash(str(sid)), hash(changed_at), now)
        except Error:
            list_read.send_robust(RevocationList, lag=now - self._read_at)
            return
        self._read_at = now
        list_read.send_robust(RevocationList, lag=0.0)
        if whole:
            self._whole_at = now
            self._drop(now - 2 * conf.access_lifetime - OVERLAP)  # not while the window would bring it back

    def _hear(self, key: int, change: int, now: float) -> None:
        known = self._entries.get(key)
        if known is None or known.change != change:
            self._entries[key] = Entry(change, now)

    def _drop(self, heard_before: float) -> None:
        for key, entry in self._entries.copy().items():
            if entry.heard_at < heard_before and self._entries.get(key) is entry:
                del self._entries[key]

    def _is_recent(self, now: float) -> bool:
        return now - self._read_at <= conf.revocation_lag + conf.revocation_grace


revocation_list = RevocationList()
