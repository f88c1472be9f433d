"""`request.tokens`: the session of one request, and what is to happen to its cookies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import cache
from time import monotonic
from typing import TYPE_CHECKING, Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from . import cookies, issuing, probe, verification
from .conf import conf
from .core.exceptions import InvalidToken, RevokedToken
from .core.jwt import AccessClaims, RefreshClaims
from .issuing import Outgoing
from .models import RefreshToken
from .probe import Probe

if TYPE_CHECKING:
    from django.contrib.sessions.backends.base import SessionBase

SIGN_IN_KEYS = (SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY)
# Long enough to finish a task, and short for somebody who finds an unlocked screen.
REAUTHENTICATION_TIMEOUT = timedelta(minutes=10)
OWNER = "_tokens_sub"  # the key in a Django session that says whose it is


class TokenRequest(HttpRequest):
    """A request that has passed the middleware, for type checkers."""

    tokens: RequestSession
    user: Any  # the site's own user model, or AnonymousUser


class RequestSession:
    """What a request brought, and what the response takes back.

    A view sets `remember` ("keep me signed in"), `method`, `amr` and `acr` before `login()`.
    """

    # What came along.
    access: str | None = None
    refresh: str | None = None
    bearer = False  # whether the tokens travel in headers and bodies: no cookie is read or set
    reauth: str | None = None
    mark: str | None = None  # what says that the browser has recently proven the key of its session
    tried = False  # whether it was just made to prove it
    probe: Probe | None = None
    told: Probe | None = None  # the probe that came along of which the site was told

    # What a view says before `login()`.
    remember: bool | None = None  # None: what Django's session says (`set_expiry()`, SESSION_EXPIRE_AT_BROWSER_CLOSE)
    method: str = RefreshToken.Method.OTHER
    amr: tuple[str, ...] = ()  # how the user has shown who they are, in the words of RFC 8176
    acr: str = ""

    # Who is asking.
    visitor: Any = None  # the lazy `request.user`, until the view is known and with it who that is
    asked = False  # whether anybody has asked yet who it is
    judged = False  # whether its tokens are judged, so that others may be handed out, and its probes are over
    guarded = False  # whether the view guards the account: a bound session must have proven its key just now
    claims: AccessClaims | None = None
    row: RefreshToken | None = None  # if it was read
    marked_until: int | None = None  # when the mark beside the refresh token is over; None if its row needs none
    ended: str | None = None  # why the session that came along has ended: a `Reason`
    unproven = False  # whether its browser could not show that it is the one on the device the session is bound to
    adopted: SessionBase | None = None  # the Django session that it was taken over from

    # What happens, and goes back.
    accessed = False  # whether the response depends on the cookies
    created = False  # whether this request opened it
    flushed = False  # whether this request ended it
    session_flushed = False  # whether it emptied Django's session, which there ends the sign-in
    reauthenticated = False  # whether the user has shown in this request who they are, at a sign-in too
    held: Any = None  # the user whose sign-in a receiver of `session_starting` has held
    telling: Probe | None = None  # the probe of this request of which the site is told
    answered = False  # whether the response is on its way, or there is none but the handshake of a socket
    outgoing: Outgoing | None = None

    @classmethod
    def from_cookies(cls, request: HttpRequest) -> RequestSession:
        """Return what the cookies of `request` brought."""
        session, found, names = cls(), cookies.read_all(request), conf.cookie_names
        session.access, session.refresh = found.get(names["access"]), found.get(names["refresh"])
        session.reauth, session.mark = found.get(names["reauth"]), found.get(names["bound"])
        session.tried = found.get(names["unproven"]) is not None
        if probed := found.get(names["probe"]):
            session.probe = probe.read(probed)
        if told := found.get(names["probe-told"]):
            session.told = probe.read(told)
        return session

    @classmethod
    def from_header(cls, access: str | None = None, refresh: str | None = None) -> RequestSession:
        """Return what a client without a jar brought in its Authorization header (RFC 6750)."""
        session = cls()
        session.access, session.refresh, session.bearer, session.judged = access, refresh, True, True
        return session

    @property
    def session_id(self) -> UUID | None:
        """Return the id of this session's row; None for an anonymous visitor."""
        self.accessed = True
        return UUID(self.claims.sid) if self.claims else None

    def shown(self, key: str) -> str | None:
        """Return what Django's session of this visitor would have under `key`, one of SIGN_IN_KEYS; None for nobody."""
        self.accessed = True
        if not self.asked and self.visitor is not None:
            bool(self.visitor.pk)
        if self.claims is None or (self.session_flushed and not self.created):
            return None
        if key == SESSION_KEY:
            return self.claims.sub
        try:
            self.row = self.row or RefreshToken.objects.get_live(self.claims.sid, self.claims.sub)
        except RevokedToken:
            return None
        return self.row.backend if key == BACKEND_SESSION_KEY else self.row.live_user.get_session_auth_hash()

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

    def mark_reauthenticated(self, amr: tuple[str, ...] = (), acr: str = "") -> None:
        """Note that the user has just shown who they are, and how. A silent refresh does not."""
        assert self.row is not None and self.claims is not None  # noqa: S101  (the row was read)
        self.row.mark_authenticated(amr, acr)
        self.reauthenticated = True
        self.claims = issuing.reissue(self.claims, self.row)
        if self.outgoing:
            self.outgoing = replace(self.outgoing, access=self.claims)
        else:
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

    def send(
        self, access: AccessClaims, refresh: RefreshClaims | None = None, confirms: RefreshClaims | None = None
    ) -> None:
        """Have the response carry these tokens, once `confirms` is confirmed."""
        self.outgoing = Outgoing(access, refresh, monotonic(), confirms)


def show_sign_in(request: TokenRequest) -> None:
    """Have Django's session of `request` show the three keys of a sign-in, which it does not store.

    To empty it or to take one of them out ends the sign-in. What it holds of somebody is gone once their sign-in has
    ended. Both are as there.
    """
    session: Any = request.session
    store: type[SessionBase] = session.__class__  # that of what Channels' lazy session wraps
    session.__class__ = _showing(store)
    session.tokens = request.tokens


def stores(session: SessionBase, key: str) -> bool:
    """Return whether `key` is in the session itself, and not only shown."""
    stored = session.keys()  # `in` would find what is only shown, too
    return key in stored


@cache
def _showing(store: type[SessionBase]) -> type[SessionBase]:
    """Return a subclass of `store` for `show_sign_in`, by the same name: that is in the salt of what is stored."""

    class Showing(store):  # type: ignore[misc, valid-type]
        tokens: RequestSession | None = None

        def __contains__(self, key: str) -> bool:
            return self._shown(key) is not None or super().__contains__(key)

        def __getitem__(self, key: str) -> Any:
            return super().__getitem__(key) if (shown := self._shown(key)) is None else shown

        def get(self, key: str, default: Any = None) -> Any:
            return super().get(key, default) if (shown := self._shown(key)) is None else shown

        async def aget(self, key: str, default: Any = None) -> Any:
            shown = await sync_to_async(self._shown)(key) if key in SIGN_IN_KEYS else None
            return await super().aget(key, default) if shown is None else shown

        has_key = __contains__

        def __delitem__(self, key: str) -> None:
            if self._take_out(key) is None:
                super().__delitem__(key)

        def pop(self, key: str, *default: Any, **named: Any) -> Any:
            return super().pop(key, *default, **named) if (taken := self._take_out(key)) is None else taken

        async def apop(self, key: str, *default: Any, **named: Any) -> Any:
            taken = await sync_to_async(self._take_out)(key) if key in SIGN_IN_KEYS else None
            return await super().apop(key, *default, **named) if taken is None else taken

        def is_empty(self) -> bool:
            """Return False for whoever is signed in, as Django does; at the end, whether there is nothing to store."""
            answered = self.tokens is None or self.tokens.answered
            return super().is_empty() and (answered or self._shown(SESSION_KEY) is None)

        def clear(self) -> None:
            """Sign out; `flush()` does this first."""
            super().clear()
            if self.tokens:
                self.tokens.session_flushed = True

        async def ahas_key(self, key: str) -> bool:
            return await self.aget(key) is not None or await super().ahas_key(key)

        def _get_session(self, no_load: bool = False) -> dict[str, Any]:
            session: dict[str, Any] = super()._get_session(no_load)
            if (tokens := self._left_over(session)) is not None:
                super().flush()
                session, tokens.session_flushed = self._session_cache, False
            return session

        async def _aget_session(self, no_load: bool = False) -> dict[str, Any]:
            session: dict[str, Any] = await super()._aget_session(no_load)
            if (tokens := self._left_over(session)) is not None:
                await super().aflush()
                session, tokens.session_flushed = self._session_cache, False
            return session

        _session = property(_get_session)

        def _left_over(self, session: dict[str, Any]) -> RequestSession | None:
            """Return the session that has ended if `session` is what Django's holds of it."""
            tokens = self.tokens
            return tokens if tokens and tokens.ended and tokens.claims is None and session.get(OWNER) else None

        def _take_out(self, key: str) -> str | None:
            """Return what is shown under `key`, and not stored. To take it out is to sign out."""
            taken = None if stores(self, key) else self._shown(key)
            if self.tokens and taken is not None:
                self.modified = self.tokens.session_flushed = True
            return taken

        def _shown(self, key: str) -> str | None:
            return self.tokens.shown(key) if key in SIGN_IN_KEYS and self.tokens else None

    Showing.__name__, Showing.__qualname__, Showing.__module__ = store.__name__, store.__qualname__, store.__module__
    return Showing
