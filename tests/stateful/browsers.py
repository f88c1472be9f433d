"""Browsers as the machine sees them: a jar, what it held recently, and requests under way."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from http.cookies import SimpleCookie
from typing import Any
from uuid import UUID

from tests.tokens import clock
from tokens import verification
from tokens.cookies import name_of
from tokens.core.jwt import AccessClaims, RefreshClaims

ALWAYS = float("-inf")
ON_DISK = 30  # seconds after which a jar is on disk: a machine that dies then loses nothing of it
ROUND_TRIP = 38  # seconds; three of the longest fit into TOKENS_CONFIRM_AFTER, and what the test takes besides
MARGIN = 5  # seconds before an expiry in which a token may be found over

read_refresh = lru_cache(verification.verify_refresh)

Cookies = Mapping[str, Any]
Token = tuple[str, int, int]  # of which row, the generation, and what stays of the id when time is made to pass


def token(sid: Any, generation: int, jti: Any) -> Token:
    """A refresh token's name. Of its id only the random part counts: the rest is its moment of birth."""
    return str(sid), generation, UUID(str(jti)).int & (1 << 80) - 1


class Jar:
    """Cookies, each with the attributes that it was set with."""

    def __init__(self, cookies: Cookies | None = None) -> None:
        self.cookies = SimpleCookie()
        self.take(cookies or {})

    def take(self, cookies: Cookies) -> None:
        for name, morsel in cookies.items():
            if morsel["max-age"] == 0:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = morsel.copy()

    def copy(self, without: str = "") -> Jar:
        return Jar({name: morsel for name, morsel in self.cookies.items() if name != without})

    @property
    def access(self) -> AccessClaims | None:
        text = clock.jar(self).get("access")
        return verification.verify_access(text) if text else None

    @property
    def refresh(self) -> RefreshClaims | None:
        text = clock.jar(self).get("refresh")
        return read_refresh(text) if text else None

    @property
    def sid(self) -> str | None:
        claims = self.refresh or self.access
        return claims.sid if claims else None

    @property
    def sids(self) -> set[str]:
        return {claims.sid for claims in (self.access, self.refresh) if claims}

    @property
    def token(self) -> Token | None:
        """The refresh token, or the one that a mere access token was born with."""
        if refresh := self.refresh:
            return token(refresh.sid, refresh.gen, refresh.jti)
        return token(self.access.sid, self.access.gen, self.access.rti) if self.access else None

    @property
    def is_good(self) -> bool:
        """Whether its refresh token has not expired."""
        claims = self.refresh
        return claims is not None and claims.exp > time.time() + MARGIN


@dataclass(eq=False)
class Browser:
    """An honest browser, or a thief's with a copied jar; one that `declines` never follows a probe."""

    thief: bool = False
    declines: bool = False
    jar: Jar = field(default_factory=Jar)
    past: list[tuple[float, Jar]] = field(default_factory=lambda: [(ALWAYS, Jar())])  # what the jar was, since when

    def take(self, cookies: Cookies, now: float) -> None:
        self.jar.take(cookies)
        if self.declines:
            self.jar.cookies.pop(name_of("probe"), None)
        recent = [entry for entry in self.past if entry[0] > now - ON_DISK]
        self.past = [self._on_disk(now), *recent, (now, self.jar.copy())]

    def restart(self) -> None:
        """Whatever was not to outlive the browser goes."""
        kept = {name: morsel for name, morsel in self.jar.cookies.items() if morsel["max-age"] != ""}
        self.jar = Jar(kept)
        self.past = [(ALWAYS, self.jar.copy())]

    def crash(self, now: float) -> None:
        """The machine dies: the jar is what it was when it was last on disk."""
        self.jar = self._on_disk(now)[1].copy()
        self.past = [(ALWAYS, self.jar.copy())]

    def _on_disk(self, now: float) -> tuple[float, Jar]:
        return [entry for entry in self.past if entry[0] <= now - ON_DISK][-1]


@dataclass(eq=False)
class Message:
    """A request under way, with the jar as it was when it was sent; then its response."""

    browser: Browser
    page: str
    jar: Jar
    sent_at: float
    response: Any = None
    is_lost: bool = False  # nobody waits for the response any more
