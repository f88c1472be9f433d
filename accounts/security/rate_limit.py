"""Count attempts in buckets on Django's cache: a few are let through at once, then one at a time after growing pauses.

`add` and `incr` decide, so that of any number of simultaneous attempts exactly as many are let through as if they had
come one after another. An attempt at a blocked bucket is not counted: it does not make the pause longer.
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

# While the cache is unavailable, this process counts in its own memory, and retries the cache after this many seconds.
memory = LocMemCache("buckets", {"OPTIONS": {"MAX_ENTRIES": 50_000}})
RETRY_CACHE_AFTER = 5
MAX_TRIED = 10  # guesses remembered per bucket; an older one counts as new


@dataclass(frozen=True, slots=True)
class Rate:
    """Let `free` attempts through at once, then one after `first` seconds, the next after twice that, up to `longest`.

    `window` seconds after the first attempt it starts again.
    """

    free: int
    first: int
    longest: int
    window: int

    def pause(self, passed: int) -> int:
        """Return for how many seconds an attempt blocks the bucket if `passed` others were let through before it.

        The last of the free attempts is the first to block it.
        """
        doubled: int = 2 ** max(passed - self.free + 1, 0)
        return min(self.first * doubled, self.longest)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Count the attempts under `key`, which reveals no user name, email or IP address."""

    key: str
    rate: Rate

    @property
    def count_key(self) -> str:
        """Return the cache key of the number of attempts let through in this window."""
        return f"{self.key}:count"

    @property
    def blocked_key(self) -> str:
        """Return the cache key of the time until which the bucket is blocked; it expires at that time."""
        return f"{self.key}:blocked"

    @property
    def tried_key(self) -> str:
        """Return the cache key of what was tried in this window, the latest first."""
        return f"{self.key}:tried"

    def acquire(self, store: BaseCache, passed: int) -> bool:
        """Let an attempt through after `passed` others were seen to be; return False if another attempt was quicker."""
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
        """Uncount one attempt; a bucket that is blocked stays so until its pause is over."""
        with suppress(ValueError):  # The window is over, and the key has expired.
            store.decr(self.count_key)

    def _count(self, store: BaseCache) -> int:
        store.add(self.count_key, 0, self.rate.window)
        number: int = store.incr(self.count_key)
        if number == 1:  # In Redis a key that expired between these two lines comes back without an expiry.
            store.touch(self.count_key, self.rate.window)
        return number


def acquire(buckets: Sequence[Bucket], uncounted: Sequence[Bucket] = ()) -> int:
    """Acquire all of `buckets` and return 0; or acquire none, and return for how many seconds to wait.

    The `uncounted` must be open as well, but do not count the attempt.
    """
    return with_store(lambda store: _acquire(store, buckets, uncounted)) if buckets else 0


def was_tried(bucket: Bucket, digest: str) -> bool:
    """Return whether `digest` is among the latest that were tried at `bucket`."""
    return digest in with_store(lambda store: store.get(bucket.tried_key, ()))


def remember_tried(bucket: Bucket, digest: str) -> None:
    """Keep `digest` with the latest that were tried at `bucket`; of two at once one may be lost, and counts again."""

    def remember(store: BaseCache) -> None:
        tried = [digest, *store.get(bucket.tried_key, ())][:MAX_TRIED]
        store.set(bucket.tried_key, tried, bucket.rate.window)

    with_store(remember)


def reset(buckets: Sequence[Bucket]) -> None:
    """Forget the attempts that were let through, and what was tried."""
    if keys := [key for bucket in buckets for key in (bucket.count_key, bucket.blocked_key, bucket.tried_key)]:
        with_store(lambda store: store.delete_many(keys))


def release(buckets: Sequence[Bucket]) -> None:
    """Uncount one attempt in each of `buckets`."""
    for bucket in buckets:
        with_store(bucket.release)


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
    """Return the whole seconds from now to `until`, which may come from another machine's clock."""
    return min(max(int(until - time()) + 1, 1), rate.longest)


class _Outage:
    """Remember until when this process treats the cache as unavailable."""

    until = 0.0  # by the monotonic clock


def with_store(act: Callable[[BaseCache], Result]) -> Result:
    """Call `act` with the shared cache, or with this process's own memory while the cache is unavailable.

    There is no better alternative: to let nobody sign in would let an outage of the cache close the site, and to count
    nothing would open the buckets to anybody who can bring the cache down.
    """
    if monotonic() >= _Outage.until:
        try:
            return act(cache)
        except Exception:  # Each cache backend has exceptions of its own.
            logger.exception("The cache is unavailable: for now this process counts attempts on its own.")
            _Outage.until = monotonic() + RETRY_CACHE_AFTER
    return act(memory)


def reset_all() -> None:
    """Forget what was counted in memory, and use the cache again at once after an outage."""
    _Outage.until = 0.0
    memory.clear()
