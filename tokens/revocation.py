"""What has ended: the revocation list, and old sessions that no row stands for yet.

The revocation list has the ids of rows that changed lately.

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
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from operator import methodcaller
from time import monotonic
from typing import Any
from uuid import uuid4

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.cache import BaseCache, caches
from django.core.cache.backends.redis import RedisCache
from django.db import Error, models, router
from django.db.models import Q
from django.db.models.functions import Now

from .conf import conf
from .core.exceptions import RevocationListUnavailable
from .signals import list_read

OVERLAP = 60  # seconds that a transaction may take between its statement and its commit, or it writes the time anew
WHOLE_EVERY = 60  # seconds between two readings of the whole window, for processes that died before they did so

STATUS_CANDIDATES = 32  # in a list that is half full, one sign-in in four thousand million goes without an index
STATUS_MARGIN = 300  # seconds beyond an access lifetime that an ended session is listed: clocks differ

PREFIX = "tokens:changed:"
SENTINEL = "tokens:complete"
RESTORING = "tokens:restoring"
RESTORING_TAKES = 10  # seconds after which another request tries, if a process died over it
HOOK = "redis_connect_func"  # the option of redis-py for what is called with each new connection
EVERYBODY = ""  # instead of a user's key
UNKNOWN = "unknown"  # sends the request to the row

ReadChanges = Callable[[float], Iterable[tuple[object, object]]]
logger = logging.getLogger("tokens")


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


class RedisServer:
    """What the Redis of a shared list says of itself each time a connection to it is opened.

    One that was started again may have lost the last marks, and one that evicts any of them, while the sentinel is
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
    any key that was there when it was set. An entry is a mark that no two changes share.
    """

    _read_at = float("-inf")
    _lag = float("inf")  # seconds without an answer, when it was last asked

    def entry(self, sid: str, read_changes: ReadChanges) -> str | None:
        """Return the mark of the row `sid`, or None. Keys that the cache has lost are restored from `read_changes`.

        An unreachable cache counts as empty for TOKENS_REVOCATION_GRACE; then RevocationListUnavailable is raised.
        """
        try:
            cache = self._cache
            found = cache.get_many([SENTINEL, PREFIX + sid])
            server = _server(cache)
            if server.evicts:
                found[PREFIX + sid] = UNKNOWN
            elif not _is_complete(found.get(SENTINEL), server):
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
            failed = self._cache.set_many(marks, self._lifetime() + OVERLAP) if marks else []
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
        """Any request that finds the list incomplete may do this, one at a time; if it fails, another one will.

        A change that is made meanwhile enters itself. If the server is started again meanwhile, the next request finds
        a sentinel of another run.
        """
        try:
            if self._cache.add(RESTORING, 1, RESTORING_TAKES):
                run_id, lifetime = _server(self._cache).run_id, self._lifetime()
                self.mark(sid for sid, _ in read_changes(2 * lifetime))
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


def free_status_index(rows: models.QuerySet[Any], user: AbstractBaseUser) -> int | None:
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


def mark_dead(sid: str) -> None:
    """Enter a row that was found dead: the list may have lost it."""
    with suppress(RevocationListUnavailable):  # the next request finds it again
        get_revocation_list().mark([sid])


class OldSessionsManager(models.Manager["OldSessions"]):
    def end(self, *keys: object) -> None:
        """Have no old session of the users with these keys taken over any more; of nobody at all for EVERYBODY."""
        if conf.adopt_sessions:
            subs = [str(key) for key in keys]
            rows = self._on_primary()
            rows.bulk_create([self.model(sub=sub) for sub in subs], ignore_conflicts=True)
            rows.filter(pk__in=subs).update(ended_at=Now())

    def have_ended(self, key: object) -> bool:
        """Return whether all old sessions of this user have ended."""
        return self._on_primary().filter(pk__in=[EVERYBODY, str(key)]).exclude(ended_at=None).exists()

    def carry_over(self, key: object, old: str, new: str) -> None:
        """Remember that the password of this user is the same with the `auth_hash` `new` as with `old`."""
        if conf.adopt_sessions and not self._on_primary().filter(pk=str(key), new_hash=old).update(new_hash=new):
            self._on_primary().update_or_create(pk=str(key), defaults={"old_hash": old, "new_hash": new})

    def hash_of_today(self, key: object, old: str) -> str | None:
        """Return the `auth_hash` that the password of this user has instead of `old`; None if nothing is known."""
        return self._on_primary().filter(pk=str(key), old_hash=old).values_list("new_hash", flat=True).first()

    def _on_primary(self) -> models.QuerySet[OldSessions]:
        return self.using(router.db_for_write(self.model))


class OldSessions(models.Model):
    """What has happened to all sessions of a user that are still to be taken over (TOKENS_ADOPT_SESSIONS).

    They cannot be found by their user, so what ends or keeps all of them is remembered here, while the setting is on.
    """

    sub = models.CharField(primary_key=True, max_length=255)  # the user's key, or EVERYBODY
    ended_at = models.DateTimeField(null=True)
    old_hash = models.CharField(max_length=64)  # an `auth_hash`: those sessions know the password by it
    new_hash = models.CharField(max_length=64)  # the same password, hashed anew

    objects = OldSessionsManager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.sub
