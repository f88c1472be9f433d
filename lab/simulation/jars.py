"""What a browser holds, and what a server answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from tokens.core.rotation import Refresh


@dataclass(frozen=True, slots=True)
class Access:
    """An access token: good until a moment, born beside a refresh token."""

    refresh: Refresh
    until: float
    new: bool = False  # its refresh token is unconfirmed: the server has to look


@dataclass(frozen=True, slots=True)
class Probe:
    """The cookie that remembers which stale token a browser was sent back with."""

    refresh: Refresh
    until: float


class Verdict(Enum):
    SIGNED_IN = "signed in"
    PROBE = "probe"  # come back, with whatever you have then
    REUSE = "reuse"  # a copy is about: the sign-in is over
    REFUSED = "refused"  # anonymous, and no more than that


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: the verdict, and the cookies that it sets."""

    verdict: Verdict
    access: Access | None = None
    refresh: Refresh | None = None
    probe: Probe | None = None

    def bare(self) -> Answer:
        """The same without the tokens: it left too late for them."""
        return replace(self, access=None, refresh=None)


@dataclass(frozen=True, slots=True)
class Jar:
    """The cookies of one browser for this site."""

    access: Access | None = None
    refresh: Refresh | None = None
    probe: Probe | None = None

    def taking(self, answer: Answer) -> Jar:
        """The jar after `answer` has arrived; what it does not set stays. A probe that came back is done with."""
        return Jar(answer.access or self.access, answer.refresh or self.refresh, answer.probe)
