"""The revocation list: the ids of rows that changed recently.

An access token is good until it expires, so something must catch those whose session has ended meanwhile. The list
does, without a query for each request. An entry is never a verdict: it sends the request to the row.

Each process holds a list of its own, or all share one in a cache (TOKENS_REVOCATION_CACHE).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from operator import methodcaller
from time import monotonic
from typing import Any
from uuid import UUID

from django.core.cache import BaseCache, caches
from django.core.cache.backends.redis import RedisCache
from django.core.exceptions import SynchronousOnlyOperation
from django.db import Error

from .conf import conf
from .core.exceptions import RevocationListUnavailable
from .signals import list_read

OVERLAP = 60  # seconds that a transaction may take between its statement and its commit, or it writes the time anew
WHOLE_EVERY = 60  # seconds between two readings of the whole window, for processes that died before they did so
EVERY_ROW = UUID(int=0)  # an entry for this id stands for all rows
_FOR_ALL = hash(str(EVERY_ROW))

PREFIX = "tokens:changed:"
SENTINEL = "tokens:complete"
RESTORING = "tokens:restoring"
RESTORING_TAKES = 10  # seconds after which another request tries, if a process died over it
HOOK = "redis_connect_func"  # the option of redis-py for what is called with each new connection

ReadChanges = Callable[[float], Iterable[tuple[object, object]]]
logger = logging.getLogger("tokens")


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A row that changed.

    `change` distinguishes this change from another (None: made in this process a moment ago); `heard_at` is when this
    process first heard of it.
    """

    change: int | None
    heard_at: float


class LocalRevocationList:
    """The list of this process. Times are of the monotonic clock, so that a stepped clock changes nothing.

    Of ids and changes it keeps hashes, which take half the memory: two that are equal by chance send a request to its
    row.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.forget()

    def entry(self, sid: str, read_changes: ReadChanges) -> Entry | None:
        """Return the newest entry for the row `sid` or for all rows, or None.

        `read_changes(seconds)` gives ids and times of the rows that changed within that many seconds; it is called at
        most once every TOKENS_REVOCATION_LAG. Raises RevocationListUnavailable if it has failed for longer than
        TOKENS_REVOCATION_GRACE.
        """
        now = monotonic()
        if now >= self._current_until:
            self._refresh(read_changes, now)
        entry = self._entries.get(hash(sid))
        if (for_all := self._entries.get(_FOR_ALL)) and (entry is None or entry.heard_at < for_all.heard_at):
            entry = for_all
        return entry if entry and now - entry.heard_at <= conf.access_lifetime + OVERLAP else None

    def is_at_hand(self) -> bool:
        """Return whether `entry` answers without reading anything."""
        return monotonic() < self._current_until

    def add(self, ids: Iterable[object]) -> None:
        """Enter rows that this process has just changed.

        A reading only adds entries, so none that began before the change can undo this.
        """
        self._entries |= dict.fromkeys((hash(str(sid)) for sid in ids), Entry(None, monotonic()))

    def forget(self) -> None:
        """Start anew, as a new process would."""
        self._entries: dict[int, Entry] = {}
        self._tried_at = self._read_at = self._whole_at = self._current_until = float("-inf")

    def _refresh(self, read_changes: ReadChanges, asked_at: float) -> None:
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
        self._current_until = min(now, self._read_at + conf.revocation_grace) + conf.revocation_lag
        try:
            for sid, changed_at in read_changes(2 * conf.access_lifetime if whole else now - self._read_at + OVERLAP):
                self._add(hash(str(sid)), hash(changed_at), now)
        except Error:
            list_read.send_robust(LocalRevocationList, lag=now - self._read_at)
            return
        except SynchronousOnlyOperation:  # the event loop asks once more, in a thread
            self._tried_at = self._current_until = float("-inf")
            raise
        self._read_at, self._current_until = now, now + conf.revocation_lag
        list_read.send_robust(LocalRevocationList, lag=0.0)
        if whole:
            self._whole_at = now
            self._discard(now - 2 * conf.access_lifetime - OVERLAP)  # not while the window would bring it back

    def _add(self, row: int, change: int, now: float) -> None:
        known = self._entries.get(row)
        if known is None or known.change != change:
            self._entries[row] = Entry(change, now)

    def _discard(self, heard_before: float) -> None:
        for row, entry in self._entries.copy().items():
            if entry.heard_at < heard_before and self._entries.get(row) is entry:
                del self._entries[row]

    def _is_recent(self, now: float) -> bool:
        return now - self._read_at <= conf.revocation_lag + conf.revocation_grace


class RedisServer:
    """What the Redis of a shared list says of itself each time a connection to it is opened.

    One that was started again may have lost the last keys, and one that evicts any of them, while the sentinel is
    still there. Every connection breaks when the server ends, so no answer is older than the server.
    """

    run_id = ""
    evicts = False

    def __init__(self, on_connect: Callable[[Any], None] = methodcaller("on_connect")) -> None:
        self._on_connect = on_connect

    def __call__(self, connection: Any) -> None:
        self._on_connect(connection)
        info = _info(connection)
        self.run_id = info.get("run_id", "")
        self.evicts = info.get("maxmemory_policy") != "noeviction"
        if self.evicts:
            logger.error("The Redis of TOKENS_REVOCATION_CACHE may evict keys: every request is sent to its row.")


def _info(connection: Any) -> dict[str, str]:
    from redis.exceptions import ResponseError

    connection.send_command("INFO")
    try:
        lines = connection.read_response().decode().splitlines()
    except ResponseError:  # it is not permitted
        return {}
    return dict(line.partition(":")[::2] for line in lines)


NO_REDIS = RedisServer()


class SharedRevocationList:
    """The list in a cache that all processes share: no lag, for one round trip with each signed-in request.

    There is one key for each row that changed, and a sentinel, fetched together. Without the sentinel the list may have
    lost keys: until they are back, which takes one reading of the table, every request goes to its row. It ends before
    any key that was there when it was set.
    """

    _read_at = float("-inf")
    _lag = float("inf")  # seconds without an answer, when it was last asked

    def entry(self, sid: str, read_changes: ReadChanges) -> bool:
        """Return whether the row `sid` has to be asked. Keys that the cache has lost are restored from `read_changes`.

        An unreachable cache counts as empty for TOKENS_REVOCATION_GRACE; then RevocationListUnavailable is raised.
        """
        try:
            cache = self._cache
            found = cache.get_many([SENTINEL, PREFIX + sid, f"{PREFIX}{EVERY_ROW}"])
            sentinel = found.pop(SENTINEL, None)
            server = _server(cache)
            ask = bool(found) or server.evicts
            if not server.evicts and not _is_complete(sentinel, server):
                self._restore(read_changes)
                ask = True
        except Exception as error:  # each cache backend has errors of its own
            lag = monotonic() - self._read_at
            self._report(lag)
            if lag > conf.revocation_grace:
                raise RevocationListUnavailable("The cache of the revocation list cannot be read.") from error
            return False
        self._read_at = monotonic()
        if self._lag:
            self._report(0.0)
        return ask

    def is_at_hand(self) -> bool:
        """Return whether `entry` answers without asking a server."""
        return False

    def add(self, ids: Iterable[object]) -> None:
        """Enter rows that are about to change, or have.

        Raises RevocationListUnavailable: then the change must fail, or no other process would ever hear of it.
        """
        entries = {f"{PREFIX}{sid}": True for sid in ids}
        try:
            failed = self._cache.set_many(entries, self._lifetime() + OVERLAP) if entries else []
        except Exception as error:
            raise RevocationListUnavailable("The cache of the revocation list cannot be written.") from error
        if failed:
            raise RevocationListUnavailable("The cache of the revocation list cannot be written.")

    def forget(self) -> None:
        """Start anew, as a new process would."""
        self._read_at, self._lag = float("-inf"), float("inf")

    def may_lose_keys(self) -> bool:
        """Return whether the cache drops keys before their time, as every one does but a Redis that is told not to."""
        with suppress(Exception):
            self._cache.get(SENTINEL)  # which opens a connection
        server = _server(self._cache)
        return server is NO_REDIS or server.evicts

    @property
    def _cache(self) -> BaseCache:
        cache: Any = caches[conf.revocation_cache]  # each thread has an instance of its own
        options = _pool_options(cache)
        if options is not None and not isinstance(options.get(HOOK), RedisServer):
            options[HOOK] = RedisServer(*filter(None, [options.get(HOOK)]))
            cache._cache._pools.clear()  # whoever used the cache before has connections that were not asked
        return cache  # type: ignore[no-any-return]

    def _lifetime(self) -> float:
        """Return how long the access tokens live of any process that has read the list.

        While servers are replaced by some with another TOKENS_ACCESS_LIFETIME there are two.
        """
        return max(conf.access_lifetime, _parts(self._cache.get(SENTINEL))[1])

    def _report(self, lag: float) -> None:
        self._lag = lag
        list_read.send_robust(SharedRevocationList, lag=lag)

    def _restore(self, read_changes: ReadChanges) -> None:
        """Enter what the table says has changed, for whoever finds the list incomplete, one request at a time.

        If this one fails, another will do it. A change that is made meanwhile enters itself. If the server is started
        again meanwhile, the next request finds a sentinel of another run.
        """
        try:
            if self._cache.add(RESTORING, 1, RESTORING_TAKES):
                run_id, lifetime = _server(self._cache).run_id, self._lifetime()
                self.add(sid for sid, _ in read_changes(2 * lifetime))
                self._cache.set(SENTINEL, (run_id, lifetime), lifetime)
                self._cache.delete(RESTORING)
        except Exception:  # each cache backend has errors of its own
            logger.warning("The revocation list could not be restored: requests are sent to their rows.")


def _pool_options(cache: Any) -> dict[str, Any] | None:
    """Return what Django passes to the pool of connections; None if `cache` is no Redis."""
    is_redis = isinstance(cache, RedisCache)
    return cache._cache._pool_options if is_redis else None


def _server(cache: BaseCache) -> RedisServer:
    """Return what the server of `cache` has said, or NO_REDIS."""
    server: RedisServer = (_pool_options(cache) or {}).get(HOOK, NO_REDIS)
    return server


def _is_complete(sentinel: object, server: RedisServer) -> bool:
    run_id, lifetime = _parts(sentinel)
    return run_id == server.run_id and lifetime >= conf.access_lifetime


def _parts(sentinel: object) -> tuple[str, float]:
    """Return the run of the server in which the list is complete, and for access tokens of which lifetime."""
    return sentinel if isinstance(sentinel, tuple) else ("", 0)


local_revocation_list = LocalRevocationList()
shared_revocation_list = SharedRevocationList()


def get_revocation_list() -> LocalRevocationList | SharedRevocationList:
    """Return the list in the shared cache if TOKENS_REVOCATION_CACHE names one, else that of this process."""
    return shared_revocation_list if conf.revocation_cache else local_revocation_list


def add_dead(sid: str) -> None:
    """Enter a row that was found dead: the list may have lost it."""
    with suppress(RevocationListUnavailable):  # the next request finds it again
        get_revocation_list().add([sid])
