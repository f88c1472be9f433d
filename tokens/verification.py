"""Tokens as they come from outside, read with today's keys and settings."""

from __future__ import annotations

from functools import lru_cache
from time import perf_counter
from typing import NamedTuple

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError

from . import jwts, users
from .conf import conf
from .exceptions import InvalidToken
from .jwts import AccessClaims, RefreshClaims
from .keys import KeyRing
from .signals import token_verified


class Read(NamedTuple):
    """An authentic access token: its claims, and the person as these have them (`users.from_claims`). The person is
    the same for all who ask: `users.twin` makes one's own."""

    claims: AccessClaims
    person: AbstractBaseUser


def access(token: str) -> AccessClaims:
    """The claims of an authentic access token; see `read`."""
    return read(token).claims


def read(token: str) -> Read:
    """What an authentic access token says, remembered: a signature is checked once for each token and process.

    Whether it has expired is another question, asked at each use. Raises InvalidToken, which is not remembered.
    """
    return _read(token, conf.key_ring)


@lru_cache(maxsize=4096)
def _read(token: str, ring: KeyRing) -> Read:
    """A ring that changes is another ring: what was signed with a key that has gone is not remembered."""
    begun = perf_counter()
    claims = jwts.read_access(token, ring=ring, issuer=conf.issuer, audience=conf.audience)
    users.key_of(claims.sub)
    try:
        found = Read(claims, users.from_claims(claims.sub, claims.user))
    except (ValidationError, TypeError, ValueError):
        raise InvalidToken("A claim about the person does not fit its field.") from None
    token_verified.send_robust(AccessClaims, kind="access", seconds=perf_counter() - begun)
    return found


remembered = _read.cache_info
forget = _read.cache_clear


def refresh(token: str) -> RefreshClaims:
    """The claims of an authentic refresh token. Raises InvalidToken."""
    begun = perf_counter()
    claims = jwts.read_refresh(token, ring=conf.key_ring, issuer=conf.issuer)
    users.key_of(claims.sub)
    token_verified.send_robust(RefreshClaims, kind="refresh", seconds=perf_counter() - begun)
    return claims
