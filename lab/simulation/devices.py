"""Sessions that are bound to a device (DBSC): the rule, a browser that has a key, and its person.

Nobody can forge a mark, so here it is the moment until which it is good. Of a challenge only its moment counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random

from tokens.core.rotation import Refresh

from .browsers import Browser
from .jars import PLAIN, Access, Answer, Jar, Request, Verdict
from .parameters import Parameters
from .people import Person
from .rules import REFUSED, Family
from .siblings import Siblings
from .world import Network, World

Reply = tuple[float | None, float]  # a mark, if there is one, and the moment of the next challenge


class Bound(Siblings):
    """The rule of this project, with refresh tokens that count only beside a young mark; as `tokens.binding` has it."""

    name = "siblings, bound to the device"
    document = "this project, `tokens/binding`"

    def open(self, now: float) -> tuple[Family, Jar]:
        """Open a session whose first access token ends early: a copy from before the registration is soon over."""
        family, jar = super().open(now)
        return family, replace(jar, access=_ending(jar.access, now + self.parameters.bound_lifetime))

    def register(self, family: Family, now: float) -> Reply:
        """Keep a key. The session is bound once that is shown again: this reply may be lost, and the key with it."""
        return now + self.parameters.first_mark, now

    def prove(self, family: Family, challenge: float, now: float) -> Reply:
        """Take a proof over the challenge of a moment, which is good once and not for long."""
        too_old = now - challenge >= self.parameters.challenge_lifetime
        if not family.live or too_old or (family.proved_at is not None and challenge < family.proved_at):
            return None, now
        family.proved_at = now
        return now + self.parameters.bound_lifetime, now

    def answer(self, family: Family, jar: Jar, now: float, request: Request = PLAIN) -> Answer:
        if not request.guarded or not family.live or self.opens_guarded(family, jar, now):
            answer = super().answer(family, jar, now)
            if answer.verdict is not Verdict.PROVE:
                return answer
        if request.skipped:
            return Answer(Verdict.ASK if request.guarded else Verdict.LATER)
        return REFUSED if now < jar.tried else self._unproven(now)

    def by_refresh(self, family: Family, jar: Jar, shown: Refresh, now: float) -> Answer:
        if family.proved_at is None:
            return super().by_refresh(family, jar, shown, now)
        if not self.opens_guarded(family, jar, now):
            return self._unproven(now)
        answer = super().by_refresh(family, jar, shown, now)
        access = _ending(answer.access, jar.mark)
        return replace(answer, access=access and replace(access, new=False))  # refresh tokens alone confirm

    def _unproven(self, now: float) -> Answer:
        return Answer(Verdict.PROVE, mark=0.0, tried=now + self.parameters.tried_for)

    def opens_guarded(self, family: Family, jar: Jar, now: float) -> bool:
        """Return whether there is a young mark; a refresh token needs one, too."""
        age = now - (jar.mark - self.parameters.bound_lifetime)
        return family.proved_at is None or age < min(self.parameters.proved_within, self.parameters.confirm_after)

    def may_sign_out(self, family: Family, jar: Jar, now: float) -> bool:
        return family.live and self.opens_guarded(family, jar, now)


class BoundBrowser(Browser):
    """A browser with a key.

    Before a request without a mark it shows that it has the key; what is asked for meanwhile waits.
    """

    rule: Bound

    def __init__(self, world: World, rule: Bound, network: Network, random: Random, parameters: Parameters) -> None:
        super().__init__(world, rule, network, random, parameters)
        self._registered_at: float | None = None  # None: the browser has no key of this session
        self._challenge = 0.0
        self._shown: list[float] = []  # when keys were shown, for the quota
        self._waiting: list[Request] | None = None  # for the proof that is under way
        self._register()

    def send(self, request: Request = PLAIN) -> None:
        if self._waiting is not None:
            self._waiting.append(request)
        elif self._registered_at is None or self.jar.mark > self.world.now or self.signing_in:
            super().send(request)
        elif not self._may_show():
            super().send(replace(request, skipped=True))
        else:
            self._waiting = [request]
            self._prove(again=True)

    def _register(self) -> None:
        self._registered_at = None
        if self._may_show():
            self._exchange(partial(self.rule.register, self.family), self._registered)

    def _registered(self, reply: Reply | None) -> None:
        if reply:
            self._registered_at = self.world.now
            self._take(reply)

    def _prove(self, *, again: bool) -> None:
        prove = partial(self.rule.prove, self.family, self._challenge)
        self._exchange(prove, partial(self._proved, again=again))

    def _proved(self, reply: Reply | None, *, again: bool) -> None:
        """Go on after a proof; `again` with a reply that only has a challenge, as after a night."""
        if reply:
            self._take(reply)
            if reply[0] is None and again:
                return self._prove(again=False)
        skipped = self.jar.mark <= self.world.now
        self.counts.proofs += 1
        self.counts.lost_proofs += skipped
        waiting, self._waiting = self._waiting or [], None
        for request in waiting:
            super().send(replace(request, skipped=skipped))

    def _take(self, reply: Reply) -> None:
        mark, self._challenge = reply
        if mark is not None:
            self._save(replace(self.jar, mark=mark))

    def _may_show(self) -> bool:
        """Return whether the quota leaves one more, which counts at once."""
        now = self.world.now
        self._shown = [moment for moment in self._shown if moment > now - self.p.proofs_within]
        if len(self._shown) >= self.p.proofs_at_most:
            return False
        self._shown.append(now)
        return True

    def _exchange(self, decide: Callable[[float], Reply], receive: Callable[[Reply | None], None]) -> None:
        """Send a POST to an endpoint; `receive` gets None if anything is lost, once the browser gives up."""
        on_its_way, receive = self.network.request(self.world.now), partial(self._receive, self._life, receive)
        if on_its_way is None:
            self.world.at(self.world.now + self.p.stall, partial(receive, None))
        else:
            self.world.at(self.world.now + on_its_way, partial(self._decide, decide, receive))

    def _decide(self, decide: Callable[[float], Reply], receive: Callable[[Reply | None], None]) -> None:
        reply, on_its_way = decide(self.world.now), self.network.response()
        if on_its_way is None:
            self.world.at(self.world.now + self.p.stall, partial(receive, None))
        else:
            self.world.at(self.world.now + on_its_way, partial(receive, reply))

    def _receive(self, life: int, receive: Callable[[Reply | None], None], reply: Reply | None) -> None:
        if life == self._life:
            receive(reply)

    def _sign_in(self) -> None:
        super()._sign_in()
        self._waiting = None
        self._register()

    def close(self) -> None:
        super().close()
        self._waiting = None

    def die(self) -> None:
        """Stop the machine: the challenge was in memory alone, and so was a key that was registered just now."""
        super().die()
        self._waiting, self._challenge = None, 0.0
        if self._registered_at is not None and self.world.now - self._registered_at < self.p.flushes_after:
            self._registered_at = None


class BoundPerson(Person):
    """Opens a page that guards the account now and then."""

    def _load_page(self) -> None:
        if self.world.now < self._works_until and self.random.random() < self.p.guarded:
            self.browser.send(Request(guarded=True))
        super()._load_page()


def _ending(access: Access | None, until: float) -> Access | None:
    return access and replace(access, until=min(access.until, until))
