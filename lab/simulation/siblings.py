"""The rule of this project: the real `tokens.core.rotation`, applied as `tokens.authentication` applies it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tokens.core.rotation import AccessOutcome, Outcome, Refresh, decide, decide_access

from .jars import Access, Answer, Jar, Probe, Verdict
from .parameters import DEFAULT, Parameters
from .rules import REFUSED, SIGNED_IN, Family, Rule

Decide = Callable[[Refresh, Refresh, float, float], Outcome]


class Siblings(Rule):
    name = "siblings until one is confirmed"
    document = "this project, `tokens/core/rotation.py`"

    def __init__(self, parameters: Parameters = DEFAULT, decide: Decide = decide) -> None:
        super().__init__(parameters)
        self.decide = decide
        self.late_after = parameters.confirm_after / 3

    def by_access(self, family: Family, jar: Jar, access: Access, now: float) -> Answer | None:
        beside = jar.refresh.jti if jar.refresh else None
        confirm_after = self.parameters.confirm_after
        outcome = decide_access(
            family.row, access.refresh, new=access.new, beside=beside, now=now, confirm_after=confirm_after
        )
        if outcome is AccessOutcome.EXPIRED:
            return None
        if outcome is AccessOutcome.ACCEPT:
            return self.answered(family, jar, SIGNED_IN)
        if family.row.generation < access.refresh.generation:
            family.row = access.refresh
        elif family.row != access.refresh:
            return None
        return self.answered(family, jar, Answer(Verdict.SIGNED_IN, replace(access, new=False), access.refresh))

    def by_refresh(self, family: Family, jar: Jar, shown: Refresh, now: float) -> Answer:
        outcome = self.decide(family.row, shown, now, self.parameters.confirm_after)
        if outcome is Outcome.STALE:
            return self.stale(family, jar, shown, now)
        if outcome is Outcome.KEEP:
            return self.answered(family, jar, Answer(Verdict.SIGNED_IN, self.access(shown, now, new=True)))
        family.row = shown
        return self.answered(family, jar, self.hand_out(self.child(family, shown, now), now, new=True))

    def stale(self, family: Family, jar: Jar, shown: Refresh, now: float) -> Answer:
        if jar.probe and jar.probe.refresh == shown and now < jar.probe.until:
            return self.reuse(family)
        probed = family.probes.get(shown.jti, 0)
        if probed >= self.parameters.probes_at_most:
            return REFUSED
        family.probes = {shown.jti: probed + 1}
        return Answer(Verdict.PROBE, probe=Probe(shown, now + self.parameters.probe_lifetime))

    def answered(self, family: Family, jar: Jar, answer: Answer) -> Answer:
        if jar.probe:
            family.probes.pop(jar.probe.refresh.jti, None)
        return answer
