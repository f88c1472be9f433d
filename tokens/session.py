"""`request.tokens`: the session of one request, and what is to happen to its cookies."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from . import cookies, issuing, probe, verification
from .core.exceptions import InvalidToken
from .core.jwt import AccessClaims, RefreshClaims
from .issuing import Outgoing
from .models import RefreshToken
from .probe import Probe

if TYPE_CHECKING:
    from django.contrib.sessions.backends.base import SessionBase

# Long enough to finish a task, and short for somebody who finds an unlocked screen.
REAUTHENTICATION_TIMEOUT = timedelta(minutes=10)
OWNER = "_tokens_sub"  # the key in a Django session that says whose it is


class TokenRequest(HttpRequest):
    """A request that has passed the middleware, for type checkers."""

    tokens: RequestSession
    user: Any  # the site's own user model, or AnonymousUser


class RequestSession:
    """What a request brought, and what the response takes back.

    A view sets `remember` ("keep me signed in") and `method` before `login()`.
    """

    bearer = False  # whether the tokens travel in headers and bodies: no cookie is read or set
    remember = False
    method: str = RefreshToken.Method.OTHER
    claims: AccessClaims | None = None
    row: RefreshToken | None = None  # if it was read
    ended: str | None = None  # why the session that came along has ended: a `Reason`
    accessed = False  # whether the response depends on the cookies
    created = False  # whether this request opened it
    flushed = False  # whether this request ended it
    reauthenticated = False  # whether the user has shown in this request who they are, at a sign-in too
    adopted: SessionBase | None = None  # the Django session that it was taken over from
    outgoing: Outgoing | None = None

    def __init__(
        self,
        access: str | None = None,
        refresh: str | None = None,
        probe: Probe | None = None,
        reauth: str | None = None,
    ) -> None:
        self.access = access
        self.refresh = refresh
        self.probe = probe
        self.reauth = reauth

    @classmethod
    def from_cookies(cls, request: HttpRequest) -> RequestSession:
        """Return what the cookies of `request` brought."""
        access, refresh, probed, reauth = cookies.read_all(
            request, cookies.access_name(), cookies.refresh_name(), cookies.probe_name(), cookies.reauth_name()
        )
        return cls(access, refresh, probe.read(probed) if probed else None, reauth)

    @classmethod
    def from_header(cls, access: str | None = None, refresh: str | None = None) -> RequestSession:
        """Return what a client without a jar brought in its Authorization header (RFC 6750)."""
        session = cls(access, refresh)
        session.bearer = True
        return session

    @property
    def session_id(self) -> UUID | None:
        """Return the id of this session's row; None for an anonymous visitor."""
        return UUID(self.claims.sid) if self.claims else None

    @property
    def is_reauthenticated(self) -> bool:
        """Return whether the user has shown in this browser, within REAUTHENTICATION_TIMEOUT, who they are.

        To be asked where the row was read (`fresh_session_required`). The row alone will not do: a copy of the jar
        shares it, and only the browser that gave the password has the cookie.
        """
        row = self.row
        if row is None or row.authenticated_at is None:
            return False
        recent = timezone.now() - row.authenticated_at <= REAUTHENTICATION_TIMEOUT
        return recent and (self.reauthenticated or constant_time_compare(self.reauth or "", issuing.reauth_value(row)))

    def mark_reauthenticated(self) -> None:
        """Note that the user has just shown who they are. A silent refresh does not."""
        assert self.row is not None and self.claims is not None  # noqa: S101  (the row was read)
        self.row.mark_authenticated()
        self.reauthenticated = True
        if self.outgoing is None:
            self.send(self.claims)  # the cookies leave together, or not at all

    def clear(self) -> None:
        """Go on as an anonymous visitor's."""
        self.claims = self.row = self.outgoing = None

    def presented_claims(self) -> Iterator[AccessClaims | RefreshClaims]:
        """Yield the claims of each authentic token that came along, even of one that has expired or is stale."""
        for token, verify in ((self.access, verification.verify_access), (self.refresh, verification.verify_refresh)):
            try:
                if token:
                    yield verify(token)
            except InvalidToken:
                continue

    def send(self, access: AccessClaims, refresh: RefreshClaims | None = None) -> None:
        """Have the response carry these tokens."""
        self.outgoing = Outgoing(access, refresh, monotonic())
