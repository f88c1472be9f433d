"""The two kinds of token, as they are written and read where there is no site."""

import pytest

from tokens.core.exceptions import InvalidToken
from tokens.core.jwt import AccessClaims, RefreshClaims, read_access, read_refresh, write_access, write_refresh
from tokens.core.keys import derived_ring

ISSUER = "https://sojourn.example"
AUDIENCE = "https://neighbour.example"
RING = derived_ring("a secret of fifty letters", "an older secret of fifty letters")
KEY = RING.current

REFRESH = RefreshClaims(
    sub="42",
    sid="0c5d9f3e-6a1b-4c2d-8e7f-a9b8c7d6e5f4",
    jti="019383a1-5b6c-7d8e-9f00-112233445566",
    gen=3,
    iat=1_700_000_000,
    exp=1_700_600_000,
)
ACCESS = AccessClaims(
    sub="42",
    sid=REFRESH.sid,
    jti="7b0e6c1a-55aa-4f00-9d3c-0123456789ab",
    rti=REFRESH.jti,
    gen=3,
    ver=7,
    iat=1_700_000_000,
    exp=1_700_000_900,
    user={"username": "zoë", "is_staff": False, "age": 30, "nick": None},
)


def access_token(claims=ACCESS, ring=RING):
    return write_access(claims, ring=ring, issuer=ISSUER, audience=AUDIENCE)


def refresh_token(claims=REFRESH, ring=RING):
    return write_refresh(claims, ring=ring, issuer=ISSUER)


def read(token, ring=RING):
    return read_access(token, ring=ring, issuer=ISSUER, audience=AUDIENCE)


def reread(token, ring=RING):
    return read_refresh(token, ring=ring, issuer=ISSUER)


def cause(token, reader=read):
    """Return the exact sentence with which `reader` refuses `token`."""
    with pytest.raises(InvalidToken) as caught:
        reader(token)
    return str(caught.value)
