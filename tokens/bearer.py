"""Sessions of clients without a cookie jar: tokens in the Authorization header and in the body (RFC 6750).

Cookies are neither read nor set here. The rule of rotation is the same; a stale refresh token is reuse at once. A
browser's refresh token is refused, and its access token only reads: `request.tokens.row.is_app` is for views to ask.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import time

from django.contrib.auth.base_user import AbstractBaseUser

from . import auth, issuing
from .authentication import Refusal, authenticate_access, authenticate_refresh, confirm_used
from .core.exceptions import ExpiredToken, InvalidToken
from .models import RefreshToken
from .session import RequestSession, TokenRequest

EXPIRED = "expired: please refresh"  # the one cause that a client is told


@dataclass(frozen=True, slots=True)
class Pair:
    """What a client keeps; `expires_in` is the lifetime of the access token in seconds."""

    access: str
    refresh: str
    expires_in: int


def start(request: TokenRequest, user: AbstractBaseUser, amr: tuple[str, ...] = (), acr: str = "") -> Pair:
    """Open a session of `user`, who has just shown by `amr` who they are. Raises RevokedToken and SignInHeld."""
    request.tokens = RequestSession.from_header()
    request.tokens.method = RefreshToken.Method.API
    request.tokens.amr, request.tokens.acr = amr, acr
    request.tokens.remember = True  # a client has no browser that closes
    auth.start(request, user, getattr(user, "backend", ""))
    return pair(request.tokens)


def resume(request: TokenRequest, *, fresh: bool = False) -> AbstractBaseUser:
    """Return the user of the access token in the header, who is `request.user` from then on.

    `fresh`, for what guards the account, reads the row even for a good token, and refuses that of a session which is
    bound to a device: no mark comes beside it. Raises TokenError, RevocationListUnavailable and the database's errors.
    """
    token = _token(request)
    request.tokens = RequestSession.from_header(access=token)
    request.tokens.guarded = fresh
    user = _user(authenticate_access(request.tokens, fresh=fresh))
    request.user = user
    return user


def refresh(request: TokenRequest) -> Pair:
    """Return a new pair for the refresh token in the header. Raises TokenError; ReusedToken has ended the session."""
    return exchange(request, _token(request))


def exchange(request: TokenRequest, token: str) -> Pair:
    """Return a new pair for this refresh token; see `refresh`."""
    request.tokens = RequestSession.from_header(refresh=token)
    user = _user(authenticate_refresh(request))
    if not confirm_used(request):  # another request was first
        user = _user(authenticate_refresh(request))
    request.user = user
    return pair(request.tokens, token)


def end(request: TokenRequest) -> None:
    """End the session of the access or refresh token in the header, however old. Raises InvalidToken."""
    token = _token(request)
    request.tokens = RequestSession.from_header(access=token, refresh=token)  # it is one of them
    if not any(request.tokens.presented_claims()):
        raise InvalidToken("The token is neither an access nor a refresh token.")
    auth.end(request)
    if request.tokens.unproven:
        raise InvalidToken("The session is bound to a device, and only the browser there can end it.")


def pair(session: RequestSession, same: str = "") -> Pair:
    """Return what `session` has to send. `same` is the refresh token that is kept if there is no other."""
    assert session.outgoing is not None  # noqa: S101  (a start or a refresh always sends tokens)
    access, refresh = issuing.signed(session.outgoing)
    return Pair(access, refresh or same, session.outgoing.access.exp - int(time()))


def _token(request: TokenRequest) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise InvalidToken("There is no bearer token.")
    return token


def _user(found: AbstractBaseUser | Refusal) -> AbstractBaseUser:
    if isinstance(found, Refusal):  # without an error if another generation was confirmed
        raise found.error or ExpiredToken("The token counts as expired.")
    return found
