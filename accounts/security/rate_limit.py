"""Gates that let a few through at once and then one at a time, after growing pauses. On Django's cache.

`add` and `incr` decide, so that of any number who come at the same moment exactly as many pass as one after another
would have. Whoever finds a gate shut is not counted: to knock on it makes no pause longer.
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
memory = LocMemCache("gates", {"OPTIONS": {"MAX_ENTRIES": 50_000}})
AWAY = 5


@dataclass(frozen=True, slots=True)
class Pace:
    """`free` pass at once. Then one after a pause of `first` seconds, the next after twice that, up to `longest`.

    `window` seconds after the first it begins anew.
    """

    free: int
    first: int
    longest: int
    window: int

    def pause(self, passed: int) -> int:
        """Seconds for which the gate shuts behind whoever passes after `passed` others; the last free one shuts it."""
        doubled: int = 2 ** max(passed - self.free + 1, 0)
        return min(self.first * doubled, self.longest)


@dataclass(frozen=True, slots=True)
class Gate:
    """`key` says what is counted, and shows nobody's name or address."""

    key: str
    pace: Pace

    @property
    def passed(self) -> str:
        """The cache's key for how many have passed in this window."""
        return f"{self.key}:passed"

    @property
    def shut(self) -> str:
        """The cache's key for the moment until which the gate is shut; it is gone when that has come."""
        return f"{self.key}:shut"

    def enter(self, store: BaseCache, passed: int) -> bool:
        """Pass, after `passed` others as far as was seen; False if somebody else was quicker."""
        counted = passed < self.pace.free
        if counted and self._count(store) < self.pace.free:
            return True
        pause = self.pace.pause(passed)
        won = store.add(self.shut, time() + pause, pause)
        if won and not counted:
            self._count(store)
        if counted and not won:
            self.give_back(store)
        return won

    def give_back(self, store: BaseCache) -> None:
        """One who passed counts no longer; a gate that is shut stays so for its pause."""
        with suppress(ValueError):  # the window is over
            store.decr(self.passed)

    def _count(self, store: BaseCache) -> int:
        store.add(self.passed, 0, self.pace.window)
        number: int = store.incr(self.passed)
        if number == 1:  # Redis gives no end to a key that ended between these two lines
            store.touch(self.passed, self.pace.window)
        return number


def enter(gates: Sequence[Gate]) -> int:
    """Pass all of `gates` and return 0; or pass none, and return for how many seconds to wait."""
    return _on_store(lambda store: _enter(store, gates)) if gates else 0


def reopen(gates: Sequence[Gate]) -> None:
    """Forget whoever passed."""
    if keys := _keys(gates):
        _on_store(lambda store: store.delete_many(keys))


def give_back(gates: Sequence[Gate]) -> None:
    """One who passed each of `gates` counts no longer."""
    for gate in gates:
        _on_store(gate.give_back)


def _enter(store: BaseCache, gates: Sequence[Gate]) -> int:
    seen = store.get_many(_keys(gates))
    waits = [_seconds(seen[gate.shut], gate.pace) for gate in gates if gate.shut in seen]
    if waits:
        return max(waits)
    entered: list[Gate] = []
    for gate in gates:
        passed = seen.get(gate.passed, 0)
        if not gate.enter(store, passed):
            for other in entered:
                other.give_back(store)
            return gate.pace.pause(passed)
        entered.append(gate)
    return 0


def _keys(gates: Sequence[Gate]) -> list[str]:
    return [key for gate in gates for key in (gate.passed, gate.shut)]


def _seconds(until: float, pace: Pace) -> int:
    """Whole seconds from now to `until`, which the clock of another machine may have told."""
    return min(max(int(until - time()) + 1, 1), pace.longest)


class _Outage:
    """How long the cache counts as away, for this process."""

    until = 0.0  # by the monotonic clock


def _on_store(act: Callable[[BaseCache], Result]) -> Result:
    """`act` on the cache that all processes share; on this process's own memory while that is away.

    Neither would do: to let nobody sign in would make the cache one more thing that can close the site, and to count
    nothing would open the gates to whoever can bring the cache down.
    """
    if monotonic() >= _Outage.until:
        try:
            return act(cache)
        except Exception:  # each cache has errors of its own
            logger.exception("The cache cannot be used: for a moment this process counts attempts for itself.")
            _Outage.until = monotonic() + AWAY
    return act(memory)


def look_again() -> None:
    """Use the cache at once, however short a while ago it was away; and forget what was counted here."""
    _Outage.until = 0.0
    memory.clear()
