"""An honest browser: a jar that any response may overwrite, on a machine that may die."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass
from functools import partial
from random import Random

from .jars import PLAIN, Answer, Jar, Request, Verdict
from .parameters import Parameters
from .rules import Family, Rule
from .world import Network, World

UNDER_WAY = 200.0  # seconds: longer than any request here takes to be decided


@dataclass(slots=True)
class Counts:
    """What happened to an honest person."""

    sign_ins: int = 0  # that were forced
    probes: int = 0
    decided: int = 0  # requests for which the server had to look at more than a signature
    proofs: int = 0  # that the browser has the key of its device
    lost_proofs: int = 0  # of these, on the way: what was asked for is answered 503
    asked: int = 0  # pages that then asked for the password instead

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


class Browser:
    """One jar, and the requests that carry it. Its person signs in again when the server no longer knows them."""

    def __init__(self, world: World, rule: Rule, network: Network, random: Random, parameters: Parameters) -> None:
        self.world, self.rule, self.network, self.random, self.p = world, rule, network, random, parameters
        self.counts = Counts()
        self.family, self.jar = rule.open(world.now)
        self.signing_in = False
        self.watcher: Callable[[], None] | None = None  # told whenever the jar gets another refresh token
        self._life = 0  # a response finds its browser only in the life in which it was asked for
        self._unsaved: list[tuple[float, Jar]] = []  # when the jar changed, and what it was before
        self._closed_at: float | None = None

    @property
    def is_plain(self) -> bool:
        """Return whether a request now is a matter of a signature: nothing is decided, nothing changes."""
        access = self.jar.access
        plain = access and not access.new and not self.jar.probe and access.until - self.world.now > UNDER_WAY
        return bool(plain and self.family.live)

    def send(self, request: Request = PLAIN) -> None:
        """Send a request, with the jar as it is now."""
        if (self.is_plain and not request.guarded) or self.signing_in:
            return
        if (on_its_way := self.network.request(self.world.now)) is not None:
            arrive = partial(self._arrive, request, self.family, self.jar, self._life)
            self.world.at(self.world.now + on_its_way, arrive)

    def _arrive(self, request: Request, family: Family, jar: Jar, life: int) -> None:
        answer = self.rule.answer(family, jar, self.world.now, request)
        self.counts.decided += 1
        self.counts.probes += answer.verdict is Verdict.PROBE
        self.counts.asked += answer.verdict is Verdict.ASK
        work = self.network.work()
        self.world.at(self.world.now + work, partial(self._leave, request, family, jar, life, answer, work))

    def _leave(self, request: Request, family: Family, jar: Jar, life: int, answer: Answer, work: float) -> None:
        limit = self.rule.late_after
        if limit is not None and (work > limit or not family.live):
            answer = answer.bare()
        if (on_its_way := self.network.response()) is not None:
            self.world.at(self.world.now + on_its_way, partial(self._deliver, request, family, jar, life, answer))

    def _deliver(self, request: Request, family: Family, shown: Jar, life: int, answer: Answer) -> None:
        if life != self._life or self.signing_in:
            return
        self._save(self.jar.taking(answer))
        if answer.verdict in (Verdict.PROBE, Verdict.PROVE):
            self.send(request)
        elif answer.verdict in (Verdict.REUSE, Verdict.REFUSED):
            if family.live and self.jar.refresh != shown.refresh:
                return  # the jar has something newer: a reload will do
            self.signing_in = True
            self.world.at(self.world.now + self.p.signs_in_within, self._sign_in)

    def _sign_in(self) -> None:
        self.counts.sign_ins += 1
        self.family.live = False
        self.family, self.jar = self.rule.open(self.world.now)
        self.signing_in, self._unsaved, self._life = False, [], self._life + 1

    def _save(self, jar: Jar) -> None:
        if jar != self.jar:
            since = self.world.now - self.p.flushes_after
            self._unsaved = [(moment, before) for moment, before in self._unsaved if moment > since]
            self._unsaved.append((self.world.now, self.jar))
            if self.watcher and jar.refresh != self.jar.refresh:
                self.watcher()
            self.jar = jar

    def close(self) -> None:
        """Close the lid: what is under way never arrives, what is not on disk waits."""
        self._life += 1
        self._closed_at = self.world.now

    def wake(self) -> None:
        if self._closed_at is not None:
            slept = self.world.now - self._closed_at
            self._unsaved = [(moment + slept, before) for moment, before in self._unsaved]
            self._closed_at = None

    def die(self) -> None:
        """Stop the machine; what was not on disk yet is lost."""
        self._life += 1
        saved_until = (self._closed_at or self.world.now) - self.random.uniform(0, self.p.flushes_after)
        for moment, before in self._unsaved:
            if moment > saved_until:
                self.jar = before
                break
        self._unsaved, self._closed_at = [], None
