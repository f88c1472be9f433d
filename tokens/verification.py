"""Verify tokens from outside with the current keys and settings."""

from __future__ import annotations

from functools import lru_cache
from time import perf_counter, time
from typing import NamedTuple

from django.core.exceptions import ValidationError

from . import users
from .conf import conf
from .core import jwt
from .core.exceptions import InvalidToken
from .core.jwt import AccessClaims, RefreshClaims
from .core.keys import KeyRing
from .signals import token_verified
from .users import UserFields


class VerifiedAccess(NamedTuple):
    """The claims of an authentic access token, the fields of the user that they tell, and when it is over."""

    claims: AccessClaims
    user_fields: UserFields  # for `users.from_fields`
    end: float


def verify_access(token: str) -> AccessClaims:
    """Return the claims of an authentic access token, even of one that has expired. Raises InvalidToken."""
    return _verify(token, conf.key_ring, conf.access_lifetime).claims


def verify_current(token: str) -> VerifiedAccess:
    """Return what an access token says that is neither forged nor over. Raises TokenError."""
    verified = _verify(token, conf.key_ring, conf.access_lifetime)
    now = time()
    if not verified.claims.iat <= now < verified.end:
        # It says why, or finds that only the clocks of two servers differ.
        jwt.check_times(verified.claims, now=now, lifetime=conf.access_lifetime)
    return verified


@lru_cache(maxsize=4096)
def _verify(token: str, ring: KeyRing, lifetime: float) -> VerifiedAccess:
    """Return what an authentic access token says; its signature is checked once in each process.

    The ring is part of the key: what was signed with a key that is gone is not remembered, nor is an InvalidToken.
    """
    started = perf_counter()
    claims = jwt.read_access(token, ring=ring, issuer=conf.issuer, audience=conf.audience)
    users.key_of(claims.sub)
    try:
        found = VerifiedAccess(claims, users.fields_from_claims(claims.sub, claims.user), jwt.end(claims, lifetime))
    except (ValidationError, TypeError, ValueError):
        raise InvalidToken("A claim about the user does not fit its field.") from None
    token_verified.send_robust(AccessClaims, kind="access", seconds=perf_counter() - started)
    return found


remembered = _verify.cache_info
forget = _verify.cache_clear


def verify_refresh(token: str) -> RefreshClaims:
    """Return the claims of an authentic refresh token. Raises InvalidToken."""
    started = perf_counter()
    claims = jwt.read_refresh(token, ring=conf.key_ring, issuer=conf.issuer)
    users.key_of(claims.sub)
    token_verified.send_robust(RefreshClaims, kind="refresh", seconds=perf_counter() - started)
    return claims
