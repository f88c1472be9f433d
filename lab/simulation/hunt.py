"""Try every order of a few uses by a victim and by a thief with a copy of the jar.

Once the victim has settled, is every token that the thief ever got dead?
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from tokens.core.rotation import Refresh, born_at

from .jars import Access, Answer, Jar, Verdict
from .rules import Family, Rule

STOLEN_AT = 1_000_000.0  # any moment
HELD_FOR = 1_000.0  # seconds since the stolen token was confirmed


@dataclass(slots=True)
class Scene:
    """Both jars, and all that the thief ever got."""

    family: Family
    victim: Jar
    thief: Jar
    now: float = STOLEN_AT
    tokens: list[Refresh] = field(default_factory=list)
    accesses: list[Access] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)

    def copy(self) -> Scene:
        tokens, accesses, steps = [*self.tokens], [*self.accesses], [*self.steps]
        return replace(self, family=self.family.copy(), tokens=tokens, accesses=accesses, steps=steps)


@dataclass(frozen=True, slots=True)
class Hunted:
    """What a hunt has seen: orders, moments at which the victim had settled, and an order that left the thief in."""

    orders: int
    settled: int
    escape: list[str] | None


def hunt(rule: Rule, length: int, *, young: bool = False) -> Hunted:
    """Try all orders of `length` uses and half waits of CONFIRM_AFTER, from the theft of a jar on.

    Its access token has expired; of a `young` one the refresh token is a second old and unconfirmed.
    """
    family, jar = rule.open(STOLEN_AT - HELD_FOR)
    stolen = Jar(refresh=jar.refresh)
    if young:
        stolen = Jar(refresh=rule.answer(family, stolen, STOLEN_AT - 1).refresh)
    orders = settled = 0
    scenes = [Scene(family, stolen, stolen, tokens=[stolen.refresh] if stolen.refresh else [])]
    for _ in range(length):
        following = []
        for scene in scenes:
            for after, is_settled in _moves(rule, scene):
                orders += 1
                settled += is_settled
                if is_settled and _lets_in(rule, after):
                    return Hunted(orders, settled, after.steps)
                if after.family.live:
                    following.append(after)
        scenes = following
    return Hunted(orders, settled, None)


def _moves(rule: Rule, scene: Scene) -> Iterator[tuple[Scene, bool]]:
    """Yield what can happen next, and whether the victim has settled by it."""
    half = rule.parameters.confirm_after / 2
    yield replace(scene.copy(), now=scene.now + half, steps=[*scene.steps, f"{half:.0f} s go by"]), False
    for shown, how in ((scene.victim, "the jar"), (replace(scene.victim, access=None), "the refresh token")):
        yield _victim_uses(rule, scene.copy(), shown, how)
    for token in scene.tokens:
        yield _thief_uses(rule, scene.copy(), Jar(refresh=token), f"token {scene.tokens.index(token)}"), False
    yield _thief_uses(rule, scene.copy(), scene.thief, "the newest jar"), False


def _victim_uses(rule: Rule, scene: Scene, shown: Jar, how: str) -> tuple[Scene, bool]:
    before = scene.victim.refresh
    answer = rule.answer(scene.family, shown, scene.now)
    if answer.verdict is Verdict.PROBE:  # an honest browser comes back
        answer = rule.answer(scene.family, shown.taking(answer), scene.now)
    scene.victim = scene.victim.taking(answer)
    scene.steps.append(f"the victim uses {how}: {_told(answer)}")
    since_the_theft = before is not None and born_at(before.jti) >= STOLEN_AT
    age = scene.now - born_at(before.jti) if before else 0
    return scene, since_the_theft and age >= rule.parameters.confirm_after and scene.family.live


def _thief_uses(rule: Rule, scene: Scene, shown: Jar, what: str) -> Scene:
    """Return the scene after the thief, who comes back to no probe, has used the jar."""
    answer = rule.answer(scene.family, shown, scene.now)
    scene.steps.append(f"the thief uses {what}: {_told(answer)}")
    if answer.verdict is Verdict.SIGNED_IN:
        scene.thief = Jar(answer.access or shown.access, answer.refresh or shown.refresh)
        if answer.refresh and answer.refresh not in scene.tokens:
            scene.tokens.append(answer.refresh)
        if answer.access:
            scene.accesses.append(answer.access)
    return scene


def _lets_in(rule: Rule, scene: Scene) -> bool:
    """Return whether a refresh token of the thief is good now, or an access token once it is no longer young."""
    later = scene.now + rule.parameters.confirm_after
    shown = [(Jar(refresh=token), scene.now) for token in scene.tokens]
    shown += [(Jar(access=access), later) for access in scene.accesses]
    shown += [(Jar(access, token), later) for access in scene.accesses for token in scene.tokens]
    return any(rule.answer(scene.family.copy(), jar, at).verdict is Verdict.SIGNED_IN for jar, at in shown)


def _told(answer: Answer) -> str:
    if answer.refresh:
        return f"{answer.verdict.value}, a child"
    return answer.verdict.value
