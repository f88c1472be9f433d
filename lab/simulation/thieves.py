"""Thieves: each has a copy of a jar, a network without faults, and all the time there is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from random import Random

from .browsers import Browser
from .jars import Jar, Verdict
from .parameters import Parameters
from .rules import Rule
from .world import World


class Kind(Enum):
    PROMPT = "prompt"  # uses the copy at once, as a browser would, and goes on
    PATIENT = "patient"  # the same, hours later
    PARASITE = "parasite"  # the refresh token alone, the stolen one first; comes back to no probe
    GREEDY = "greedy parasite"  # likewise, the newest one first
    TURNS = "turn-taker"  # likewise, and only ever seconds after the victim's browser has refreshed


@dataclass(slots=True)
class Theft:
    """What came of a theft; moments in seconds."""

    kind: Kind
    stolen_at: float
    first_in: float | None = None
    last_in: float | None = None
    bound: bool = False  # whether the session was, and
    mark_left: float = 0.0  # how many seconds the mark that was copied was still good for
    guarded: bool = False  # whether a page that guards the account has opened
    owner_sign_ins: int = 0  # that the owner was forced to
    may_sign_out: bool = False  # whether the copy still ends the owner's session in the end
    found: bool = False
    still_in: bool = False

    @property
    def stay(self) -> float:
        """Return the seconds from the first page that the thief saw to the last."""
        return self.last_in - self.first_in if self.first_in is not None and self.last_in is not None else 0.0


class Thief:
    """Somebody who has copied the jar of `victim` just now.

    They come back again and again, until nothing that they ever held has been good for a day.
    """

    def __init__(
        self, world: World, rule: Rule, victim: Browser, kind: Kind, random: Random, parameters: Parameters
    ) -> None:
        self.world, self.rule, self.random, self.p = world, rule, random, parameters
        self.family, self.jar = victim.family, victim.jar
        mark_left = max(0.0, self.jar.mark - world.now)
        self.theft = Theft(kind, world.now, bound=self.family.proved_at is not None, mark_left=mark_left)
        self.tokens = dict.fromkeys([self.jar.refresh] if self.jar.refresh else [])  # in the order of getting them
        self._browses = kind in (Kind.PROMPT, Kind.PATIENT)
        self._in_vain = 0
        if kind is Kind.TURNS:
            victim.watcher = self._follow
        else:
            wait = random.uniform(*parameters.patience) if kind is Kind.PATIENT else 0.0
            world.at(world.now + wait, self._return)

    @property
    def is_out(self) -> bool:
        """Return whether the last visit was in vain."""
        return self._in_vain > 0

    def _return(self) -> None:
        self._visit()
        usual = self.p.thief_returns if self._browses else self.p.parasite_returns
        wait = self.random.expovariate(1 / usual) * 2**self._in_vain
        if self._in_vain == 0 or wait < self.p.gives_up_after:
            self.world.at(self.world.now + wait, self._return)

    def _follow(self) -> None:
        self.world.at(self.world.now + self.random.uniform(*self.p.follows_within), self._visit)

    def _visit(self) -> None:
        if self._browse() if self._browses else self._try_tokens():
            self.theft.first_in = self.theft.first_in or self.world.now
            self.theft.last_in, self._in_vain = self.world.now, 0
            self.theft.guarded |= self.rule.opens_guarded(self.family, self.jar, self.world.now)
        else:
            self._in_vain += 1
        if not self.family.live:
            self.world.stop()

    def _browse(self) -> bool:
        answer = self.rule.answer(self.family, self.jar, self.world.now)
        if answer.verdict is Verdict.PROVE:  # without the key there is nothing to come back with, and the mark is kept
            return False
        self.jar = self.jar.taking(answer)
        return self._browse() if answer.verdict is Verdict.PROBE else answer.verdict is Verdict.SIGNED_IN

    def _try_tokens(self) -> bool:
        tokens = list(self.tokens)
        for token in tokens if self.theft.kind is Kind.PARASITE else reversed(tokens):
            answer = self.rule.answer(self.family, Jar(refresh=token, mark=self.jar.mark), self.world.now)
            if answer.verdict is Verdict.SIGNED_IN:
                if answer.refresh:
                    self.tokens[answer.refresh] = None
                return True
        return False
