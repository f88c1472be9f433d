"""Time, and the way between a browser and the server."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from heapq import heappop, heappush
from math import exp
from random import Random

from .parameters import DAY, Parameters


class World:
    """What happens next, in the order of time."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, moment: float, event: Callable[[], None]) -> None:
        self._count += 1  # what is due at the same moment happens in the order in which it was asked for
        heappush(self._events, (moment, self._count, event))

    def run(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            self.now, _, event = heappop(self._events)
            event()

    def stop(self) -> None:
        self._events.clear()


class Network:
    """How long messages take; None is one that is lost."""

    def __init__(self, parameters: Parameters, random: Random, days: float) -> None:
        self.p, self.random = parameters, random
        number = round(days * parameters.overloads_a_day)
        self.overloads = sorted(random.uniform(0, days * DAY) for _ in range(number))  # when they begin

    def request(self, now: float) -> float | None:
        """Return how long a request that is sent at `now` takes until the server looks at its cookies."""
        if self.random.random() < self.p.lost_requests:
            return None
        last = bisect_right(self.overloads, now) - 1
        overloaded = last >= 0 and now < self.overloads[last] + self.p.overload
        return self._travel() + (self.random.uniform(0, self.p.queue) if overloaded else 0)

    def work(self) -> float:
        """Return how long the server keeps a response after it has decided about the cookies."""
        if self.random.random() < self.p.late:
            return self.random.uniform(0, self.p.lateness)
        return lognormal(self.random, self.p.works_median, self.p.works_sigma)

    def response(self) -> float | None:
        return None if self.random.random() < self.p.lost_responses else self._travel()

    def _travel(self) -> float:
        if self.random.random() < self.p.stalls:
            return self.random.uniform(0, self.p.stall)
        return min(lognormal(self.random, self.p.travel_median, self.p.travel_sigma), self.p.stall)


def lognormal(random: Random, median: float, sigma: float) -> float:
    return median * exp(sigma * random.gauss(0, 1))
