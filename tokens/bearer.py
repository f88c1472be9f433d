"""Sign-ins of clients without a jar: tokens in the Authorization header and in the body (RFC 6750).

A cookie never counts here, and none is set. The rule of rotation is the same; a stale refresh token is reuse at once.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from time import time

from django.contrib.auth.base_user import AbstractBaseUser

from . import auth, issue, presented
from .branches import Branch, take
from .exceptions import ExpiredToken, InvalidToken, ReusedToken, RevokedToken
from .models import RefreshToken
from .signin import SignIn, TokenRequest

EXPIRED = "expired: please refresh"  # the one cause that a client is told
logger = logging.getLogger("tokens")


@dataclass(frozen=True, slots=True)
class Pair:
    """What a client keeps; `expires_in` is the life of the access token in seconds."""

    access: str
    refresh: str
    expires_in: int


def start(request: TokenRequest, user: AbstractBaseUser) -> Pair:
    """Opens a sign-in of `user`, whose password has just been checked. Raises RevokedToken."""
    request.tokens = SignIn.of_bearer()
    request.tokens.method = RefreshToken.Method.API
    request.tokens.remember = True  # a client has no browser that closes
    auth.start(request, user)
    return _pair(request.tokens, "")


def resume(request: TokenRequest, *, guarded: bool = False) -> AbstractBaseUser:
    """The person of the access token in the header, who is `request.user` from then on. Raises TokenError."""
    token = _token(request)
    request.tokens = SignIn.of_bearer(access=token)
    person = _looked_up(presented.by_access, request, guarded)
    request.user = person
    return person


def refresh(request: TokenRequest) -> Pair:
    """A new pair for the refresh token in the header. Raises TokenError; ReusedToken has ended the sign-in."""
    token = _token(request)
    request.tokens = SignIn.of_bearer(refresh=token)
    request.user = _looked_up(presented.by_refresh, request, False)
    return _pair(request.tokens, token)


def end(request: TokenRequest) -> None:
    """Ends the sign-in of the token in the header, be it access or refresh, however old. Raises InvalidToken."""
    token = _token(request)
    request.tokens = SignIn.of_bearer(access=token, refresh=token)  # it is one of them
    if not any(request.tokens.shown()):
        raise InvalidToken("The token is of neither kind.")
    auth.end(request)


def _token(request: TokenRequest) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise InvalidToken("There is no bearer token.")
    return token


def _looked_up(by: presented.By, request: TokenRequest, guarded: bool) -> AbstractBaseUser:
    try:
        person = by(request, guarded=guarded, judged=True)
    except InvalidToken as error:
        logger.info("%s", error)
        raise
    except ReusedToken:
        raise
    except RevokedToken as error:
        take(Branch.DEAD, error.sid, error.reason or "")
        raise
    if person is None:  # a generation that another has overtaken
        raise ExpiredToken("The token counts as expired.")
    return person


def _pair(sign_in: SignIn, same: str) -> Pair:
    assert sign_in.outgoing is not None  # noqa: S101  (whoever starts or refreshes has something to send)
    access, refresh = issue.signed(sign_in.outgoing)
    return Pair(access, refresh or same, sign_in.outgoing.access.exp - int(time()))
