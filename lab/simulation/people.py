"""An honest person's days: sessions of work, pauses, nights."""

from __future__ import annotations

from random import Random

from .browsers import Browser
from .parameters import DAY, Parameters
from .world import World, lognormal

DIES_AND_STARTS = 60.0  # seconds until a machine that died is back


class Person:
    """Works with `browser` from now on."""

    def __init__(self, world: World, browser: Browser, random: Random, parameters: Parameters) -> None:
        self.world, self.browser, self.random, self.p = world, browser, random, parameters
        self._works_until = 0.0
        self._sleeps_at = 0.0
        self._begin_day()

    def _begin_day(self) -> None:
        today = self.world.now // DAY * DAY
        self._sleeps_at = today + self.random.uniform(*self.p.sleeps_at)
        self.world.at(today + self.random.uniform(*self.p.wakes_at), self._begin_work)
        self.world.at(today + DAY, self._begin_day)

    def _begin_work(self) -> None:
        now = self.world.now
        self.browser.wake()
        self._works_until = min(now + lognormal(self.random, self.p.work_median, self.p.work_sigma), self._sleeps_at)
        dies_at = now + self.random.expovariate(1 / self.p.dies_every)
        if dies_at < self._works_until:
            self.world.at(dies_at, self._die)
        if self.random.random() < self.p.restores:
            self._open_tabs()
        self._load_page()

    def _load_page(self) -> None:
        now = self.world.now
        if now >= self._works_until:
            return self._end_work()
        if not self.browser.is_plain:  # else all that the page asks for is plain as well
            self.browser.send()
            self.world.at(now + self.random.uniform(0, 1), self._load_parts)
        thinks = lognormal(self.random, self.p.think_median, self.p.think_sigma)
        self.world.at(min(now + thinks, self._works_until), self._load_page)

    def _load_parts(self) -> None:
        for _ in range(self.random.randint(*self.p.burst)):
            self.browser.send()

    def _open_tabs(self) -> None:
        for _ in range(self.random.randint(*self.p.tabs)):
            self.browser.send()

    def _end_work(self) -> None:
        if self.random.random() < self.p.lids:
            if self.random.random() < self.p.lid_in_mid_request:
                self.browser.send()
            self.browser.close()
            if self.random.random() < self.p.dies_asleep:
                self.browser.die()
        back = self.world.now + lognormal(self.random, self.p.pause_median, self.p.pause_sigma)
        if back < self._sleeps_at:
            self.world.at(back, self._begin_work)

    def _die(self) -> None:
        self.browser.die()
        self.world.at(self.world.now + DIES_AND_STARTS, self._open_tabs)
