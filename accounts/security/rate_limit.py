"""Buckets that let a few through at once and then one at a time, after growing pauses. On Django's cache.

`add` and `incr` decide, so that of any number who come at the same moment exactly as many pass as one after another
would have. Whoever finds a bucket blocked is not counted: to knock on it makes no pause longer.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic, time
from typing import TypeVar

from django.core.cache import BaseCache, cache
from django.core.cache.backends.locmem import LocMemCache

Result = TypeVar("Result")
logger = logging.getLogger("accounts")

# Where this process counts for itself while the cache is away, and how long it then leaves the cache alone (seconds).
memory = LocMemCache("buckets", {"OPTIONS": {"MAX_ENTRIES": 50_000}})
RETRY_CACHE_AFTER = 5
MAX_TRIED = 10  # of one bucket; whatever was tried before those counts as new


@dataclass(frozen=True, slots=True)
class Rate:
    """`free` pass at once. Then one after a pause of `first` seconds, the next after twice that, up to `longest`.

    `window` seconds after the first it begins anew.
    """

    free: int
    first: int
    longest: int
    window: int

    def pause(self, passed: int) -> int:
        """Seconds for which the bucket is blocked behind whoever passes after `passed` others; the last free one shuts
        it."""
        doubled: int = 2 ** max(passed - self.free + 1, 0)
        return min(self.first * doubled, self.longest)


@dataclass(frozen=True, slots=True)
class Bucket:
    """`key` says what is counted, and shows nobody's name or address."""

    key: str
    rate: Rate

    @property
    def count_key(self) -> str:
        """The cache's key for how many have passed in this window."""
        return f"{self.key}:count"

    @property
    def blocked_key(self) -> str:
        """The cache's key for the moment until which the bucket is shut; it is gone when that has come."""
        return f"{self.key}:blocked"

    @property
    def tried_key(self) -> str:
        """The cache's key for what was tried there in this window, the latest first."""
        return f"{self.key}:tried"

    def acquire(self, store: BaseCache, passed: int) -> bool:
        """Pass, after `passed` others as far as was seen; False if somebody else was quicker."""
        counted = passed < self.rate.free
        if counted and self._count(store) < self.rate.free:
            return True
        pause = self.rate.pause(passed)
        won = store.add(self.blocked_key, time() + pause, pause)
        if won and not counted:
            self._count(store)
        if counted and not won:
            self.release(store)
        return won

    def release(self, store: BaseCache) -> None:
        """One who passed counts no longer; a bucket that is shut stays so for its pause."""
        with suppress(ValueError):  # the window is over
            store.decr(self.count_key)

    def _count(self, store: BaseCache) -> int:
        store.add(self.count_key, 0, self.rate.window)
        number: int = store.incr(self.count_key)
        if number == 1:  # Redis gives no end to a key that ended between these two lines
            store.touch(self.count_key, self.rate.window)
        return number


def acquire(buckets: Sequence[Bucket], uncounted: Sequence[Bucket] = ()) -> int:
    """Pass all of `buckets` and return 0; or pass none, and return for how many seconds to wait.

    The `uncounted` have to be open as well, and do not count who passes.
    """
    return _with_store(lambda store: _acquire(store, buckets, uncounted)) if buckets else 0


def was_tried(bucket: Bucket, digest: str) -> bool:
    """Return whether `digest` is among the latest that were tried at `bucket`."""
    return digest in _with_store(lambda store: store.get(bucket.tried_key, ()))


def remember_tried(bucket: Bucket, digest: str) -> None:
    """Keep `digest` with the latest that were tried at `bucket`; of two at once one may be lost, and counts again."""

    def remember(store: BaseCache) -> None:
        tried = [digest, *store.get(bucket.tried_key, ())][:MAX_TRIED]
        store.set(bucket.tried_key, tried, bucket.rate.window)

    _with_store(remember)


def reset(buckets: Sequence[Bucket]) -> None:
    """Forget whoever passed, and what was tried."""
    if keys := [key for bucket in buckets for key in (bucket.count_key, bucket.blocked_key, bucket.tried_key)]:
        _with_store(lambda store: store.delete_many(keys))


def release(buckets: Sequence[Bucket]) -> None:
    """One who passed each of `buckets` counts no longer."""
    for bucket in buckets:
        _with_store(bucket.release)


def _acquire(store: BaseCache, buckets: Sequence[Bucket], uncounted: Sequence[Bucket]) -> int:
    every = (*buckets, *uncounted)
    seen = store.get_many([key for bucket in every for key in (bucket.count_key, bucket.blocked_key)])
    waits = [_seconds(seen[bucket.blocked_key], bucket.rate) for bucket in every if bucket.blocked_key in seen]
    if waits:
        return max(waits)
    acquired: list[Bucket] = []
    for bucket in buckets:
        passed = seen.get(bucket.count_key, 0)
        if not bucket.acquire(store, passed):
            for other in acquired:
                other.release(store)
            return bucket.rate.pause(passed)
        acquired.append(bucket)
    return 0


def _seconds(until: float, rate: Rate) -> int:
    """Whole seconds from now to `until`, which the clock of another machine may have told."""
    return min(max(int(until - time()) + 1, 1), rate.longest)


class _Outage:
    """How long the cache counts as away, for this process."""

    until = 0.0  # by the monotonic clock


def _with_store(act: Callable[[BaseCache], Result]) -> Result:
    """`act` on the cache that all processes share; on this process's own memory while that is away.

    Neither would do: to let nobody sign in would make the cache one more thing that can close the site, and to count
    nothing would open the buckets to whoever can bring the cache down.
    """
    if monotonic() >= _Outage.until:
        try:
            return act(cache)
        except Exception:  # each cache has errors of its own
            logger.exception("The cache cannot be used: for a moment this process counts attempts for itself.")
            _Outage.until = monotonic() + RETRY_CACHE_AFTER
    return act(memory)


def reset_all() -> None:
    """Use the cache at once, however short a while ago it was away; and forget what was counted here."""
    _Outage.until = 0.0
    memory.clear()
