"""`request.tokens`: the sign-in of one request, and what is to happen to its cookies."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic
from typing import Any
from uuid import UUID

from django.http import HttpRequest

from . import cookies, probe, verified
from .exceptions import InvalidToken
from .issue import Outgoing
from .jwts import AccessClaims, RefreshClaims
from .models import RefreshToken
from .probe import Probe

OWNER = "_tokens_sub"  # the key in a Django session that says whose it is


class TokenRequest(HttpRequest):
    """A request that has passed the middleware, for type checkers."""

    tokens: SignIn
    user: Any


class SignIn:
    """What a request brought, and what the response takes back.

    A view sets `remember` ("keep me signed in") and `method` before `login()`.
    """

    bearer = False  # whether the tokens travel in headers and bodies: no cookie is read or set
    remember = False
    method: str = RefreshToken.Method.OTHER
    claims: AccessClaims | None = None
    row: RefreshToken | None = None  # if it was read
    ended: str | None = None  # why the sign-in that came along is over: a `Reason`
    looked = False  # whether the response depends on the cookies
    started = False  # whether this request opened it
    gone = False  # whether this request ended it
    adopted: Any = None  # the session of Django's that it was taken over from
    outgoing: Outgoing | None = None

    def __init__(self, access: str | None = None, refresh: str | None = None, probe: Probe | None = None) -> None:
        self.access = access
        self.refresh = refresh
        self.probe = probe

    @classmethod
    def of_cookies(cls, request: HttpRequest) -> SignIn:
        """What the cookies of `request` brought."""
        access, refresh, probed = cookies.read_all(
            request, cookies.access_name(), cookies.refresh_name(), cookies.probe_name()
        )
        return cls(access, refresh, probe.read(probed) if probed else None)

    @classmethod
    def of_bearer(cls, access: str | None = None, refresh: str | None = None) -> SignIn:
        """What a client without a jar brought in its Authorization header (RFC 6750)."""
        made = cls(access, refresh)
        made.bearer = True
        return made

    @property
    def session_id(self) -> UUID | None:
        """The id of this sign-in's row; None for an anonymous visitor."""
        return UUID(self.claims.sid) if self.claims else None

    def drop(self) -> None:
        """Goes on as an anonymous visitor's."""
        self.claims = self.row = self.outgoing = None

    def shown(self) -> Iterator[AccessClaims | RefreshClaims]:
        """The claims of every authentic token that came along, even of one that has expired or is stale."""
        for token, read in ((self.access, verified.access), (self.refresh, verified.refresh)):
            try:
                if token:
                    yield read(token)
            except InvalidToken:
                continue

    def send(
        self,
        access: AccessClaims,
        refresh: RefreshClaims | None = None,
        heard: object = None,
    ) -> None:
        """Has the response carry these; `heard` is what the revocation list knew of the row before they were made."""
        self.outgoing = Outgoing(access, refresh, monotonic(), heard)
