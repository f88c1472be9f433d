"""The revocation list: the ids of rows that changed lately.

An access token is good until it expires, so something must catch those whose session has ended meanwhile. The list
does, without a query for each request. An entry is never a verdict: it sends the request to the row.

Neighbours have the status list instead (`contrib.status_list`); a new session gets its index here.

Each process holds a list of its own, or all share one in a cache (TOKENS_REVOCATION_CACHE).
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Any
from uuid import uuid4

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.cache import BaseCache, caches
from django.db import Error
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from .conf import conf
from .core.exceptions import RevocationListUnavailable
from .signals import list_read

OVERLAP = 60  # seconds that a transaction may take between its statement and its commit
WHOLE_EVERY = 60  # seconds between two readings of the whole window, for transactions that took longer

STATUS_CANDIDATES = 32  # in a list that is half full, one sign-in in four thousand million goes without an index
STATUS_MARGIN = (
    300  # seconds beyond an access lifetime that an ended session is listed: clocks differ, answers take time
)

PREFIX = "tokens:changed:"
SENTINEL = "tokens:complete"
UNKNOWN = "unknown"  # sends the request to the row

logger = logging.getLogger("tokens")

ReadChanges = Callable[[float], Iterable[tuple[object, object]]]


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A row that changed.

    `change` distinguishes this change from another (None: made in this process a moment ago); `heard_at` is when this
    process first heard of it.
    """

    change: object
    heard_at: float


class LocalRevocationList:
    """The list of this process. Times are of the monotonic clock, so that a stepped clock changes nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.forget()

    def entry(self, sid: str, read_changes: ReadChanges) -> Entry | None:
        """Return the newest entry for the row `sid`, or None.

        `read_changes(seconds)` gives ids and times of the rows that changed within that many seconds; it is called at
        most once every TOKENS_REVOCATION_LAG. Raises RevocationListUnavailable if it has failed for longer than
        TOKENS_REVOCATION_GRACE.
        """
        now = monotonic()
        self._refresh(read_changes, now)
        entry = self._entries.get(sid)
        return entry if entry and now - entry.heard_at <= conf.access_lifetime + OVERLAP else None

    def mark(self, ids: Iterable[object]) -> None:
        """Enter rows that this process has just changed.

        A reading only adds entries, so none that began before the change can undo this.
        """
        self._entries |= dict.fromkeys(map(str, ids), Entry(None, monotonic()))

    def forget(self) -> None:
        """Start anew, as a new process would."""
        self._entries: dict[str, Entry] = {}
        self._tried_at = self._read_at = self._whole_at = float("-inf")

    def _refresh(self, read_changes: ReadChanges, asked_at: float) -> None:
        if asked_at - self._tried_at < conf.revocation_lag and self._is_recent(asked_at):
            return
        # A request with no recent reading to go by waits for the one that is under way; the others need not wait.
        if self._lock.acquire(blocking=conf.revocation_lag == 0 or not self._is_recent(asked_at)):
            try:
                if asked_at - self._tried_at >= conf.revocation_lag:
                    self._read(read_changes, monotonic())
            finally:
                self._lock.release()
        if not self._is_recent(asked_at):
            raise RevocationListUnavailable("The revocation list could not be read for too long.")

    def _read(self, read_changes: ReadChanges, now: float) -> None:
        whole = now - self._whole_at >= WHOLE_EVERY
        self._tried_at = now
        try:
            for sid, changed_at in read_changes(2 * conf.access_lifetime if whole else now - self._read_at + OVERLAP):
                self._add(str(sid), changed_at, now)
        except Error:
            list_read.send_robust(LocalRevocationList, lag=now - self._read_at)
            return
        self._read_at = now
        list_read.send_robust(LocalRevocationList, lag=0.0)
        if whole:
            self._whole_at = now
            self._discard(now - 2 * conf.access_lifetime - OVERLAP)  # not while the window would bring it back

    def _add(self, sid: str, change: object, now: float) -> None:
        known = self._entries.get(sid)
        if known is None or known.change != change:
            self._entries[sid] = Entry(change, now)

    def _discard(self, heard_before: float) -> None:
        for sid, entry in self._entries.copy().items():
            if entry.heard_at < heard_before and self._entries.get(sid) is entry:
                del self._entries[sid]

    def _is_recent(self, now: float) -> bool:
        return now - self._read_at <= conf.revocation_lag + conf.revocation_grace


class SharedRevocationList:
    """The list in a cache that all processes share: no lag, for one round trip with each signed-in request.

    There is one key for each row that changed, and a sentinel, fetched together. A cache that was flushed has lost the
    sentinel as well: until the keys are back, which takes one reading of the table, every request goes to its row. The
    cache must not evict (for Redis: `maxmemory-policy noeviction`). An entry is a mark that no two changes share.
    """

    _read_at = float("-inf")
    _lag = float("inf")  # seconds without an answer, when it was last asked

    def entry(self, sid: str, read_changes: ReadChanges) -> str | None:
        """Return the mark of the row `sid`, or None. Keys that the cache has lost are restored from `read_changes`.

        An unreachable cache counts as empty for TOKENS_REVOCATION_GRACE; then RevocationListUnavailable is raised.
        """
        try:
            found = self._cache.get_many([SENTINEL, PREFIX + sid])
            if SENTINEL not in found:
                self._restore(read_changes)
                found[PREFIX + sid] = UNKNOWN
        except Exception as error:  # each cache backend has errors of its own
            lag = monotonic() - self._read_at
            self._report(lag)
            if lag > conf.revocation_grace:
                raise RevocationListUnavailable("The cache of the revocation list cannot be read.") from error
            return None
        self._read_at = monotonic()
        if self._lag:
            self._report(0.0)
        mark: str | None = found.get(PREFIX + sid)
        return mark

    def mark(self, ids: Iterable[object]) -> None:
        """Enter rows that are about to change, or have.

        Raises RevocationListUnavailable: then the change must fail, or no other process would ever hear of it.
        """
        marks = {f"{PREFIX}{sid}": uuid4().hex for sid in ids}
        try:
            failed = self._cache.set_many(marks, conf.access_lifetime + OVERLAP) if marks else []
        except Exception as error:
            raise RevocationListUnavailable("The cache of the revocation list cannot be written.") from error
        if failed:
            raise RevocationListUnavailable("The cache of the revocation list cannot be written.")

    def forget(self) -> None:
        """Start anew, as a new process would."""
        self._read_at, self._lag = float("-inf"), float("inf")

    @property
    def _cache(self) -> BaseCache:
        return caches[conf.revocation_cache]

    def _report(self, lag: float) -> None:
        self._lag = lag
        list_read.send_robust(SharedRevocationList, lag=lag)

    def _restore(self, read_changes: ReadChanges) -> None:
        """Any request that finds the sentinel gone may do this; a change that is made meanwhile enters itself."""
        self.mark(sid for sid, _ in read_changes(2 * conf.access_lifetime))
        self._cache.set(SENTINEL, 1, None)


local_revocation_list = LocalRevocationList()
shared_revocation_list = SharedRevocationList()


def get_revocation_list() -> LocalRevocationList | SharedRevocationList:
    """Return the list in the shared cache if TOKENS_REVOCATION_CACHE names one, else that of this process."""
    return shared_revocation_list if conf.revocation_cache else local_revocation_list


def free_status_index(rows: QuerySet[Any], user: AbstractBaseUser) -> int | None:
    """Return an index of the status list that no session among `rows` holds; None if there is none for `user`.

    The index is random, so that neighbours learn nothing of the number and the order of sign-ins. What is over gives
    its index back, when no list that says so can be in use any more. Nobody holds more than twice TOKENS_MAX_SESSIONS.
    """
    candidates = [secrets.randbelow(conf.status_list) for _ in range(STATUS_CANDIDATES)]
    since = Now() - timedelta(seconds=2 * conf.access_lifetime + STATUS_MARGIN)
    is_over = Q(revoked_at__isnull=False, changed_at__lt=since) | Q(expires_at__lt=since)
    if rows.filter(user=user, status_index__isnull=False).exclude(is_over).count() >= 2 * conf.max_sessions:
        return None
    drawn = rows.filter(status_index__in=candidates).annotate(is_over=is_over)
    holders = dict(drawn.values_list("status_index", "is_over"))
    for index in candidates:
        if index not in holders:
            return index
    for index in candidates:
        if holders[index]:
            rows.filter(status_index=index).update(status_index=None)
            return index
    logger.warning("The status list is too full for a new session: raise TOKENS_STATUS_LIST.")
    return None
