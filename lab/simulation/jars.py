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
    PROVE = "prove"  # show that you have the key of the device, and come back
    LATER = "later"  # the browser cannot show that now, and says so: 503
    ASK = "ask"  # likewise, on a page that guards the account: the password will do


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for, beside the cookies."""

    guarded: bool = False  # a page that guards the account
    skipped: bool = False  # the browser says that it could not show that it has the key


PLAIN = Request()


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: the verdict, and the cookies that it sets."""

    verdict: Verdict
    access: Access | None = None
    refresh: Refresh | None = None
    probe: Probe | None = None
    mark: float | None = None  # None: as it was; 0: taken away
    tried: float = 0.0

    def bare(self) -> Answer:
        """Return the answer without the tokens: it left too late for them."""
        return replace(self, access=None, refresh=None)


@dataclass(frozen=True, slots=True)
class Jar:
    """The cookies of one browser for this site."""

    access: Access | None = None
    refresh: Refresh | None = None
    probe: Probe | None = None
    mark: float = 0.0  # until when the device need not be shown again
    tried: float = 0.0  # sent back to show it, which is remembered until then

    def taking(self, answer: Answer) -> Jar:
        """Return the jar after `answer` has arrived. What it does not set stays; a probe that came back is gone."""
        mark, tried = (self.mark, self.tried) if answer.mark is None else (answer.mark, answer.tried)
        return Jar(answer.access or self.access, answer.refresh or self.refresh, answer.probe, mark, tried)
