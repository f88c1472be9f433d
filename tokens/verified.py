"""Tokens as they come from outside, read with today's keys and settings."""

from __future__ import annotations

from functools import lru_cache

from . import jwts, users
from .conf import conf
from .jwts import AccessClaims, RefreshClaims


@lru_cache(maxsize=4096)
def access(token: str) -> AccessClaims:
    """The claims of an authentic access token, remembered: a signature is checked once for each token and process.

    Whether it has expired is another question, asked at each use. Raises InvalidToken, which is not remembered.
    """
    claims = jwts.read_access(token, ring=conf.key_ring, issuer=conf.issuer, audience=conf.audience)
    users.key_of(claims.sub)
    return claims


def refresh(token: str) -> RefreshClaims:
    """The claims of an authentic refresh token. Raises InvalidToken."""
    claims = jwts.read_refresh(token, ring=conf.key_ring, issuer=conf.issuer)
    users.key_of(claims.sub)
    return claims
