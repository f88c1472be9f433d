"""The two kinds of token, as they are written and read where no site is."""

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
    """The exact sentence with which `reader` refuses `token`."""
    with pytest.raises(InvalidToken) as caught:
        reader(token)
    return str(caught.value)


SHAPE = "The token is not three parts of the base64url alphabet."
MEMBERS = "The header's members are not exactly alg, kid and typ."
CANONICAL = "A part is base64url, but not in its one canonical form."
KINDS = [
    pytest.param(access_token(), read, id="access"),
    pytest.param(refresh_token(), reread, id="refresh"),
]

# Some octet strings that json.loads() takes, or that break a careless parser; none is strict JSON in UTF-8.
NOT_JSON = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"x", id="no JSON"),
    pytest.param(b'{"a":1', id="cut off"),
    pytest.param(b'{"a":1}{"a":1}', id="two objects"),
    pytest.param(b"{'a':1}", id="single quotes"),
    pytest.param(b'{"a":1,}', id="trailing comma"),
    pytest.param(b'{"a":1}\x00', id="NUL at the end"),
    pytest.param(b'{"a":"\n"}', id="bare control character"),
    pytest.param(b'\xef\xbb\xbf{"a":1}', id="BOM"),
    pytest.param('{"a":1}'.encode("utf-16"), id="UTF-16"),
    pytest.param('{"a":1}'.encode("utf-16-le"), id="UTF-16LE"),
    pytest.param('{"a":1}'.encode("utf-32"), id="UTF-32"),
    pytest.param('{"a":1}'.encode("utf-32-be"), id="UTF-32BE"),
    pytest.param(b'{"a":"\xe9"}', id="Latin-1"),
    pytest.param(b'{"a":"\xed\xa0\x80"}', id="surrogate in UTF-8"),
    pytest.param(b'{"a":"\xc0\xaf"}', id="overlong UTF-8"),
    pytest.param(b'{"a":NaN}', id="NaN"),
    pytest.param(b'{"a":Infinity}', id="Infinity"),
    pytest.param(b'{"a":-Infinity}', id="-Infinity"),
    pytest.param(b'{"a":1,"a":1}', id="doubled member"),
    pytest.param(b'{"a":1,"\\u0061":1}', id="doubled member, once escaped"),
    pytest.param(b'{"b":{"a":1,"a":2}}', id="doubled member, nested"),
    pytest.param(b'{"b":[{"a":1,"a":2}]}', id="doubled member, nested in an array"),
]
NO_OBJECT = [b"[]", b'"text"', b"1", b"null", b"true", b'[["sub","42"]]']


def named(names, only_access):
    """Each kind with each of its claims; those of `only_access` are in no refresh token."""
    both = [pytest.param(token, reader, name) for token, reader in (KINDS[0].values, KINDS[1].values) for name in names]
    return [*both, *(pytest.param(*KINDS[0].values, name) for name in only_access)]
