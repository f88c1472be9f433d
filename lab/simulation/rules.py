"""What every rule of rotation has in common, and the rules of the field, written down from their documents.

Where a document leaves something open, the reading that is kinder to honest people is taken. Everything around
the rule is the same for all: the lifetimes, the browser, the network, and that signing in again ends the old sign-in.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import ClassVar

from tokens.core.rotation import Refresh, born_at, new_jti

from .jars import PLAIN, Access, Answer, Jar, Request, Verdict
from .parameters import DEFAULT, Parameters

SIGNED_IN, REFUSED = Answer(Verdict.SIGNED_IN), Answer(Verdict.REFUSED)


@dataclass(slots=True)
class Family:
    """A sign-in as the server knows it. `row` is the token that it holds to be current."""

    row: Refresh
    live: bool = True
    found: bool = False  # whether it ended because a copy was seen
    successor: Refresh | None = None  # handed out and not used yet
    refreshed_at: float = 0.0
    used: dict[str, float] = field(default_factory=dict)  # when each token was first used
    parents: dict[str, str] = field(default_factory=dict)
    superseded: set[str] = field(default_factory=set)  # tokens of which a successor has been used
    probes: dict[str, int] = field(default_factory=dict)  # of the stale token that was probed last
    proved_at: float | None = None  # when the browser last showed that it has the key; None unless it is bound

    def copy(self) -> Family:
        return replace(
            self,
            used={**self.used},
            parents={**self.parents},
            superseded={*self.superseded},
            probes={**self.probes},
        )


class Rule(ABC):
    """A rule of rotation. A request is decided at one moment; time is in seconds."""

    name: ClassVar[str]
    document: ClassVar[str]
    late_after: float | None = None  # a response that leaves this much after the decision sets no cookies

    def __init__(self, parameters: Parameters = DEFAULT) -> None:
        self.parameters = parameters

    def open(self, now: float) -> tuple[Family, Jar]:
        """Open a session, and return it with the jar of the browser that has just signed in."""
        first = Refresh(1, new_jti(now))
        return Family(first, refreshed_at=now), Jar(self.access(first, now, new=False), first)

    def answer(self, family: Family, jar: Jar, now: float, request: Request = PLAIN) -> Answer:
        """Return what a request with the cookies of `jar` gets; `family` moves on."""
        if not family.live:
            return REFUSED
        if jar.access and now < jar.access.until and (answer := self.by_access(family, jar, jar.access, now)):
            return answer
        if jar.refresh is None or now - born_at(jar.refresh.jti) >= self.parameters.idle_lifetime:
            return REFUSED
        return self.by_refresh(family, jar, jar.refresh, now)

    def by_access(self, family: Family, jar: Jar, access: Access, now: float) -> Answer | None:
        """Answer by an access token that has not expired; None if it counts as expired. A signature alone decides."""
        return SIGNED_IN

    def opens_guarded(self, family: Family, jar: Jar, now: float) -> bool:
        """Return whether a page that guards the account opens to whoever is signed in by `jar`."""
        return True

    def may_sign_out(self, family: Family, jar: Jar, now: float) -> bool:
        """Return whether a sign-out by `jar` ends the session: any authentic token does."""
        return family.live

    @abstractmethod
    def by_refresh(self, family: Family, jar: Jar, shown: Refresh, now: float) -> Answer:
        """Answer by a refresh token: where the rules differ."""

    def access(self, refresh: Refresh, now: float, *, new: bool) -> Access:
        return Access(refresh, now + self.parameters.access_lifetime, new)

    def hand_out(self, refresh: Refresh, now: float, *, new: bool = False) -> Answer:
        return Answer(Verdict.SIGNED_IN, self.access(refresh, now, new=new), refresh)

    def reuse(self, family: Family) -> Answer:
        family.live, family.found = False, True
        return Answer(Verdict.REUSE)

    def child(self, family: Family, parent: Refresh, now: float) -> Refresh:
        made = Refresh(parent.generation + 1, new_jti(now))
        family.parents[made.jti] = parent.jti
        return made


class SingleUse(Rule):
    name = "strict single use"
    document = "RFC 9700 §4.14.2; Auth0, *Refresh token rotation*, without an overlap"

    def by_refresh(self, family: Family, jar: Jar, shown: Refresh, now: float) -> Answer:
        if shown != family.row:
            return self.reuse(family)
        family.row = self.child(family, shown, now)
        return self.hand_out(family.row, now)


class Leeway(Rule):
    """A used token works for some seconds after its first use, each time for a successor of its own.

    Unless a successor has been used: only the last token but one may be shown again.
    """

    name = "leeway after rotation"
    document = (
        "Auth0, *Configure refresh token rotation* (overlap period); Okta, *Refresh token rotation* (grace period)"
    )

    def by_refresh(self, family: Family, jar: Jar, shown: Refresh, now: float) -> Answer:
        first_used = family.used.setdefault(shown.jti, now)
        family.superseded.add(family.parents.get(shown.jti, ""))
        if now - first_used > self.parameters.leeway or shown.jti in family.superseded:
            return self.reuse(family)
        return self.hand_out(self.child(family, shown, now), now)


class ParentOfActive(Rule):
    """A counter: the active token moves it on, its parent gets the active one once more, however late.

    So does an older one, within the interval since the last refresh. Everybody gets the same successor.
    """

    name = "parent of the active token"
    document = "Supabase Auth, *User sessions*; supabase/auth, `internal/tokens/service.go`"

    def by_refresh(self, family: Family, jar: Jar, shown: Refresh, now: float) -> Answer:
        behind = family.row.generation - shown.generation
        if behind > 1 and now - family.refreshed_at >= self.parameters.reuse_interval:
            return self.reuse(family)
        if behind == 0:
            family.row = self.child(family, shown, now)
        family.refreshed_at = now
        return self.hand_out(family.row, now)


class PromoteOnUse(Rule):
    """A token is good until its successor, or the access token beside that, is first used.

    Asked again before that, it gets another successor, which takes the place of the one before. What is over is
    refused, and nobody is told.
    """

    name = "promote on use"
    document = "Matrix client-server API, `POST /refresh`; Synapse, `replace_refresh_token`"

    def by_access(self, family: Family, jar: Jar, access: Access, now: float) -> Answer | None:
        if access.new and access.refresh == family.successor:
            family.row, family.successor = access.refresh, None
            return Answer(Verdict.SIGNED_IN, Access(access.refresh, access.until))
        return SIGNED_IN

    def by_refresh(self, family: Family, jar: Jar, shown: Refresh, now: float) -> Answer:
        if shown not in (family.row, family.successor):
            return REFUSED
        family.row, family.successor = shown, self.child(family, shown, now)
        return self.hand_out(family.successor, now, new=True)


class AnchoredGrace(Rule):
    """A window that begins with the first use of a token, in which each use gets a child of its own; all stay good."""

    name = "anchored grace, siblings"
    document = "Ory Hydra, *Graceful refresh token rotation*"

    def by_refresh(self, family: Family, jar: Jar, shown: Refresh, now: float) -> Answer:
        first_used = family.used.setdefault(shown.jti, now)
        if now - first_used > self.parameters.grace:
            return self.reuse(family)
        return self.hand_out(self.child(family, shown, now), now)
