"""The two tokens, written and read. A strict profile around PyJWT (RFC 8725), without Django and without a clock.

PyJWT proves the signature. What it does not look at is looked at here: length, alphabet, the members of the
header, the kind of token, doubled members, encodings and the exact types of claims.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import jwt
from jwt.algorithms import get_default_algorithms

from .exceptions import ExpiredToken, InvalidToken
from .keys import Key, KeyRing

MAX_LENGTH = 2048
LEEWAY = 60  # seconds that the clock of another server may be ahead
STATUS_LIST = "/.well-known/status-list"  # where on the issuer's site neighbours read what has ended
LARGEST = 2**53  # beyond it, JSON numbers are not exact everywhere (RFC 7493 §2.2)

ACCESS = "at+jwt"  # RFC 9068 §2.1
REFRESH = "rt+jwt"

Claim = str | int | bool | None

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)  # RFC 9562 §4
_jws = jwt.PyJWS()
_algorithms = get_default_algorithms()


@dataclass(frozen=True, slots=True)
class RefreshClaims:
    """What a refresh token says: whose (`sub`), of which row (`sid`), its place in the family (`gen`, `jti`), and
    whether its cookie outlives the browser (`kept`)."""

    sub: str
    sid: str
    jti: str
    gen: int
    iat: int
    exp: int
    kept: bool = False


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What an access token says. `rti` is the `jti` of the refresh token born with it, `ver` the row's version,
    `new` whether its generation is unconfirmed, `idx` the row's place in the status list, `user` the claims about
    the person."""

    sub: str
    sid: str
    jti: str
    rti: str
    gen: int
    ver: int
    iat: int
    exp: int
    new: bool = False
    idx: int | None = None
    user: Mapping[str, Claim] = field(default_factory=dict)


def write_access(claims: AccessClaims, *, ring: KeyRing, issuer: str, audience: str) -> str:
    """The access token for `claims`, signed with the ring's current key (RFC 9068)."""
    payload = {name: getattr(claims, name) for name in ("sub", "sid", "jti", "rti", "gen", "ver", "iat", "exp")}
    payload |= {"iss": issuer, "aud": audience, "type": "access"} | dict(claims.user)
    if claims.new:
        payload["new"] = True
    if claims.idx is not None:
        payload["status"] = _status(claims.idx, issuer)
    return write(payload, ACCESS, ring.current)


def write_refresh(claims: RefreshClaims, *, ring: KeyRing, issuer: str) -> str:
    """The refresh token for `claims`. Its audience is the issuer itself: nobody else has a use for it."""
    payload = {name: getattr(claims, name) for name in ("sub", "sid", "jti", "gen", "iat", "exp")}
    payload |= {"iss": issuer, "aud": issuer, "type": "refresh"}
    if claims.kept:
        payload["kept"] = True
    return write(payload, REFRESH, ring.current)


def read_access(token: str, *, ring: KeyRing, issuer: str, audience: str) -> AccessClaims:
    """The claims of an authentic access token, whenever it was made (see `check_times`).

    Raises InvalidToken, with the exact cause, for anything else.
    """
    claims = _read(token, ACCESS, "access", ring, issuer, audience)
    return AccessClaims(
        sub=_text(claims, "sub"),
        sid=_uuid(claims, "sid"),
        jti=_uuid(claims, "jti"),
        rti=_uuid(claims, "rti"),
        gen=_number(claims, "gen"),
        ver=_number(claims, "ver"),
        iat=_number(claims, "iat"),
        exp=_number(claims, "exp"),
        new=_mark(claims, "new"),
        idx=_place(claims, issuer),
        user=_user_claims(claims),
    )


def read_refresh(token: str, *, ring: KeyRing, issuer: str) -> RefreshClaims:
    """The claims of an authentic refresh token, whenever it was made. Raises InvalidToken for anything else."""
    claims = _read(token, REFRESH, "refresh", ring, issuer, issuer)
    read = RefreshClaims(
        sub=_text(claims, "sub"),
        sid=_uuid(claims, "sid"),
        jti=_uuid(claims, "jti"),
        gen=_number(claims, "gen"),
        iat=_number(claims, "iat"),
        exp=_number(claims, "exp"),
        kept=_mark(claims, "kept"),
    )
    if claims:
        raise InvalidToken("The token has a claim that does not belong to its kind.")
    return read


def signer(token: str, *, ring: KeyRing) -> Key:
    """The key of `ring` that signed `token`; whatever it says, and of whichever kind. Raises InvalidToken."""
    key = _key(_opened(token), ring)
    _verified(token, key)
    return key


def check_times(claims: AccessClaims | RefreshClaims, *, now: float, lifetime: float) -> None:
    """Raises ExpiredToken after `exp`, or once the token is older than today's `lifetime` (in seconds), so that
    lifetimes can be shortened; InvalidToken if it was made further ahead than clocks may differ."""
    if claims.iat > now + LEEWAY:
        raise InvalidToken("The token was made in the future.")
    if now >= min(claims.exp, claims.iat + lifetime):
        raise ExpiredToken("The token has expired.")


def status_uri(issuer: str) -> str:
    """The one address of the status list of `issuer`: in access tokens, and in the list as its subject."""
    return issuer.rstrip("/") + STATUS_LIST


def write(payload: dict[str, Any], typ: str, key: Key) -> str:
    """A JWT of these claims and this type, signed with `key`."""
    text = json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()  # a third of the escapes' length
    return _jws.encode(text, key.secret, key.alg, headers={"kid": key.kid, "typ": typ})


def _read(token: str, typ: str, kind: str, ring: KeyRing, issuer: str, audience: str) -> dict[str, Any]:
    header = _opened(token)
    if header["typ"].lower().removeprefix("application/") != typ:
        raise InvalidToken("The token is of another type.")
    claims = _object(_verified(token, _key(header, ring)), "The payload")
    for name, expected in (("iss", issuer), ("aud", audience), ("type", kind)):
        if claims.pop(name, None) != expected:
            raise InvalidToken(_ELSEWHERE[name])
    return claims


_ELSEWHERE = {
    "iss": "The issuer is not this site.",
    "aud": "The audience is not exactly ours.",
    "type": "The claim `type` is of the other kind.",
}


def _opened(token: str) -> dict[str, str]:
    if len(token) > MAX_LENGTH:
        raise InvalidToken("The token is longer than 2,048 characters.")
    if not _COMPACT.fullmatch(token):
        raise InvalidToken("The token is not three parts of the base64url alphabet.")
    return _header(token.partition(".")[0])


@lru_cache(maxsize=64)
def _header(segment: str) -> dict[str, str]:
    """The header's three members. All tokens of one key and kind share one header, so this is parsed once for each."""
    header = _object(_decoded(segment), "The header")
    if header.keys() != {"alg", "kid", "typ"}:
        raise InvalidToken("The header's members are not exactly alg, kid and typ.")  # jku, jwk, x5u, crit, zip, ...
    if not all(type(value) is str for value in header.values()):
        raise InvalidToken("A member of the header is not text.")
    return header


def _key(header: dict[str, str], ring: KeyRing) -> Key:
    key = ring.verifying.get(header["kid"])
    if key is None:
        raise InvalidToken("The key is not on the ring.")
    if header["alg"] != key.alg:
        raise InvalidToken("The algorithm is not the key's.")
    return key


def _verified(token: str, key: Key) -> bytes:
    """The payload of a token whose header was looked at already: PyJWT would parse that once more, and more slowly
    than it verifies."""
    signed, _, signature = token.rpartition(".")
    try:
        payload, proof = _decoded(signed.partition(".")[2]), _decoded(signature)
    except InvalidToken:
        raise InvalidToken("The token cannot be decoded.") from None
    if not _algorithms[key.alg].verify(signed.encode(), key.verifier, proof):
        raise InvalidToken("The signature does not fit.")
    return payload


def _decoded(segment: str) -> bytes:
    try:
        data = urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except ValueError:
        raise InvalidToken("A part is not base64url.") from None
    if urlsafe_b64encode(data).rstrip(b"=").decode() != segment:
        raise InvalidToken("A part is base64url, but not in its one canonical form.")
    return data


def _object(data: bytes, what: str) -> dict[str, Any]:
    try:
        value = _strict.decode(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise InvalidToken(f"{what} is not strict JSON in UTF-8.") from None
    if not isinstance(value, dict):
        raise InvalidToken(f"{what} is not a JSON object.")
    return value


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is doubled")
    for value in members.values():
        if type(value) is str:
            value.encode()  # JSON can escape half a character; UnicodeEncodeError is a ValueError
    return members


def _refuse(constant: str) -> None:
    raise ValueError(constant)


_strict = json.JSONDecoder(object_pairs_hook=_without_doubles, parse_constant=_refuse)


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.pop(name, None)
    if type(value) is not str or not value:
        raise InvalidToken(f"The claim `{name}` is missing or not text.")
    return value


def _number(claims: dict[str, Any], name: str) -> int:
    value = claims.pop(name, None)
    if type(value) is not int or not 0 <= value < LARGEST:  # bool is an int, too: type() and not isinstance()
        raise InvalidToken(f"The claim `{name}` is missing or not a plain integer.")
    return value


def _mark(claims: dict[str, Any], name: str) -> bool:
    value = claims.pop(name, False)
    if type(value) is not bool:
        raise InvalidToken(f"The mark `{name}` is not a boolean.")
    return value


def _status(idx: int, issuer: str) -> dict[str, dict[str, int | str]]:
    """How a token names its place in the status list (draft-ietf-oauth-status-list §6.2)."""
    return {"status_list": {"idx": idx, "uri": status_uri(issuer)}}


def _place(claims: dict[str, Any], issuer: str) -> int | None:
    if "status" not in claims:
        return None
    status = claims.pop("status")
    named = status.get("status_list") if type(status) is dict else None
    idx = named.get("idx") if type(named) is dict else None
    if type(idx) is not int or not 0 <= idx < LARGEST or status != _status(idx, issuer):
        raise InvalidToken("The claim `status` is not a place in this site's status list.")
    return idx


def _uuid(claims: dict[str, Any], name: str) -> str:
    value = _text(claims, name)
    if not _UUID.fullmatch(value):
        raise InvalidToken(f"The claim `{name}` is not a UUID in its canonical form.")
    return value


def _user_claims(claims: dict[str, Any]) -> dict[str, Claim]:
    if "nbf" in claims:
        raise InvalidToken("The token has a claim that does not belong to its kind.")
    if not all(value is None or type(value) in (str, int, bool) for value in claims.values()):
        raise InvalidToken("A claim about the person is not a plain value.")
    return claims
