"""Who is at the other end of a socket: an `AuthMiddlewareStack` for Django Channels, to be used instead of theirs.

`scope["user"]` is the user of the session, or anonymous; `scope["tokens"]` is the RequestSession. Tokens are refreshed
as with any request: the new cookies leave with what accepts the socket. A stale token is nobody's, and the next page
sees to it. Which origins may connect is for Channels' AllowedHostsOriginValidator to say, as with Django's sessions.

A socket outlives its access token, and is closed when its session ends: by the first message in either direction, which
is not delivered (after TOKENS_REVOCATION_LAG, as with requests), and without one within a minute, when its row is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from io import BytesIO
from time import monotonic
from typing import Any

from channels.db import database_sync_to_async
from channels.sessions import CookieMiddleware, SessionMiddleware
from django.contrib.auth.models import AnonymousUser
from django.core.handlers.asgi import ASGIRequest
from django.db import Error
from django.http import HttpResponse
from django.utils import timezone

from .. import auth
from ..authentication import Refusal, authenticate
from ..conf import conf
from ..core.exceptions import RevocationListUnavailable, RevokedToken
from ..models import RefreshToken
from ..models.querysets import TOUCHED_EVERY
from ..revocation import get_revocation_list
from ..session import RequestSession, show_sign_in

Message = dict[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# Why a socket was closed, for the page: sign in again, or come back later. From 4000 on codes are the application's.
ENDED, TRY_AGAIN_LATER = 4401, 1013
OPENING = ("websocket.accept", "http.response.start")


class TokenAuthMiddleware:
    """Set `scope["user"]`, and close the socket when the session ends."""

    def __init__(self, inner: Any, check_every: float = 60) -> None:
        """Wrap the ASGI application `inner`; read the row of an open socket once every `check_every` seconds."""
        self.inner = inner
        self.check_every = check_every

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raise what the middleware answers with 503: then the server refuses the connection."""
        request: Any = ASGIRequest({"method": "GET", **scope}, BytesIO())
        request.session = scope.get("session")
        user = await database_sync_to_async(_authenticate)(request)
        scope = {**scope, "user": user, "tokens": request.tokens}
        send = _sending_cookies(request, send)
        if scope["type"] != "websocket" or request.tokens.claims is None:
            await self.inner(scope, receive, send)
            return
        socket = Socket(request, receive, send, self.check_every)
        try:
            await self.inner(scope, socket.receive, socket.send)
        finally:
            await socket.leave()


def AuthMiddlewareStack(inner: Any, check_every: float = 60) -> Any:
    """Return `inner` behind cookies, Django's session and the tokens."""
    return CookieMiddleware(SessionMiddleware(TokenAuthMiddleware(inner, check_every)))


class Socket:
    """An open socket of somebody who is signed in."""

    def __init__(self, request: Any, receive: Receive, send: Send, check_every: float) -> None:
        self._request = request
        self._receive, self._send = receive, send
        self._check_every = check_every
        self._claims = request.tokens.claims
        self._entry: object = None  # of the revocation list, for which the row was read
        self._checked_at = self._read_at = monotonic()
        self._leaving = False  # whether one of the two has closed it
        self._closed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._incoming: asyncio.Future[Message] | None = None

    async def receive(self) -> Message:
        """Return the next message, which is that of a disconnect once the session has ended."""
        await self._end_if_flushed()
        while not self._closed.done():
            self._incoming = self._incoming or asyncio.ensure_future(self._receive())
            waiting: set[asyncio.Future[Any]] = {self._incoming, self._closed}
            await asyncio.wait(waiting, timeout=self._check_every, return_when=asyncio.FIRST_COMPLETED)
            message = self._incoming.result() if self._incoming.done() else None
            self._leaving |= message is not None and message["type"] == "websocket.disconnect"
            await self._check()
            if message and not self._closed.done():
                self._incoming = None
                return message
        return {"type": "websocket.disconnect", "code": self._closed.result()}

    async def send(self, message: Message) -> None:
        """Send a message, unless the session has ended."""
        await self._end_if_flushed()
        self._leaving |= message["type"] == "websocket.close"
        await self._check()
        if not self._closed.done():
            await self._send(message)

    async def leave(self) -> None:
        """Stop listening: the application has returned."""
        if self._incoming:
            self._incoming.cancel()
        await self._end_if_flushed()

    async def _check(self) -> None:
        """Close the socket if the session has ended. Asks as seldom as the revocation list allows."""
        now = monotonic()
        if self._leaving or self._closed.done() or self._request.tokens.claims is None:
            return
        if now - self._checked_at >= min(conf.revocation_lag, self._check_every):
            self._checked_at = now
            code = await database_sync_to_async(self._verdict)(now)
            if code and not self._closed.done():
                self._closed.set_result(code)
                with suppress(OSError):  # the browser has just gone
                    await self._send({"type": "websocket.close", "code": code})

    def _verdict(self, now: float) -> int | None:
        """Return the code to close the socket with; None as long as it may stay open."""
        try:
            entry = get_revocation_list().entry(self._claims.sid, RefreshToken.objects.changed_within)
        except RevocationListUnavailable:
            return TRY_AGAIN_LATER
        known = entry == self._entry
        if known and now - self._read_at < self._check_every:
            return None
        try:
            row = RefreshToken.objects.get_live(self._claims.sid, self._claims.sub)
        except RevokedToken:
            return ENDED
        except Error:
            longest = self._check_every + conf.revocation_grace
            return None if known and now - self._read_at < longest else TRY_AGAIN_LATER
        self._entry, self._read_at = entry, now
        return ENDED if _is_idle(row) else None

    async def _end_if_flushed(self) -> None:
        """End the session if Channels' `logout()` has emptied Django's; the socket is that of nobody then."""
        if self._request.tokens.session_flushed and not self._request.tokens.flushed:
            await database_sync_to_async(auth.end)(self._request)


def _authenticate(request: Any) -> Any:
    """Return who has connected. The row is read, so that no socket is opened by what has just ended."""
    request.tokens = tokens = RequestSession.from_cookies(request)
    tokens.asked = tokens.judged = tokens.answered = True
    found = authenticate(request, fresh=True)
    show_sign_in(request)
    request.user = AnonymousUser() if isinstance(found, Refusal) else found
    return request.user


def _sending_cookies(request: Any, send: Send) -> Send:
    """Return `send`, which adds what a refresh has made to the first message: it has the headers of the response."""

    async def sending(message: Message) -> None:
        if message["type"] in OPENING:
            response = HttpResponse(status=message.get("status", 200))
            await database_sync_to_async(auth.write_cookies)(request, response)
            cookies = [(b"set-cookie", morsel.OutputString().encode()) for morsel in response.cookies.values()]
            message = {**message, "headers": [*message.get("headers", ()), *cookies]}
        await send(message)

    tokens = request.tokens
    return sending if tokens.outgoing or tokens.probe or tokens.told else send


def _is_idle(row: RefreshToken) -> bool:
    """Return whether no refresh token can be good any more: a socket that stays open refreshes none."""
    return timezone.now() - row.last_used_at > timedelta(seconds=conf.idle_lifetime) + TOUCHED_EVERY
