"""Write and read the two tokens: a strict profile around PyJWT (RFC 8725), without Django and without a clock.

PyJWT verifies the signature. What it does not check is checked here: length, alphabet, the members of the header, the
kind of token, duplicate members, encodings and the exact types of claims.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from functools import lru_cache

import jwt

from .exceptions import ExpiredToken, InvalidToken
from .keys import ALGORITHMS, KINDS, Key, KeyRing

MAX_LENGTH = 2048
LEEWAY = 60  # seconds by which the clock of another server may be ahead
STATUS_LIST = "/.well-known/status-list"  # where neighbours read on the issuer's site which sessions have ended
LARGEST = 2**53  # beyond it, JSON numbers are not exact everywhere (RFC 7493 §2.2)

ACCESS = "at+jwt"  # RFC 9068 §2.1
REFRESH = "rt+jwt"

Claim = str | int | bool | None

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)  # RFC 9562 §4
_jws = jwt.PyJWS(algorithms=[])
for _name in KINDS:
    _ready = copy(ALGORITHMS[_name])
    _ready.prepare_key = lambda key: key  # type: ignore[method-assign]  # a ring has examined its keys
    _jws.register_algorithm(_name, _ready)


@dataclass(frozen=True, slots=True)
class RefreshClaims:
    """What a refresh token says.

    Whose it is (`sub`), of which row (`sid`), its position in the family (`gen`, `jti`), and whether its cookie
    outlives the browser (`remember`).
    """

    sub: str
    sid: str
    jti: str
    gen: int
    iat: int
    exp: int
    remember: bool = False


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What an access token says (RFC 9068 §2.2).

    `rti` is the `jti` of the refresh token born with it, `ver` the row's version, `new` whether its generation is
    unconfirmed, `partial` whether the site knows more of the user than their row, `idx` the row's index in the status
    list, `auth_time`, `amr` and `acr` when and how the user last showed who they are (OpenID Connect Core §2), `user`
    the claims about the user.
    """

    sub: str
    sid: str
    jti: str
    rti: str
    gen: int
    ver: int
    iat: int
    exp: int
    new: bool = False
    partial: bool = False
    idx: int | None = None
    auth_time: int | None = None
    amr: tuple[str, ...] = ()
    acr: str = ""
    user: Mapping[str, Claim] = field(default_factory=dict)


def write_access(claims: AccessClaims, *, ring: KeyRing, issuer: str, audience: str) -> str:
    """Return the access token for `claims`, signed with the ring's current key (RFC 9068)."""
    payload = {name: getattr(claims, name) for name in ("sub", "sid", "jti", "rti", "gen", "ver", "iat", "exp")}
    payload |= {"iss": issuer, "aud": audience, "type": "access"} | dict(claims.user)
    if claims.new:
        payload["new"] = True
    if claims.partial:
        payload["partial"] = True
    if claims.auth_time is not None:
        payload["auth_time"] = claims.auth_time
    if claims.amr:
        payload["amr"] = claims.amr
    if claims.acr:
        payload["acr"] = claims.acr
    if claims.idx is not None:
        payload["status"] = _status(claims.idx, issuer)
    return write(payload, ACCESS, ring.current)


def write_refresh(claims: RefreshClaims, *, ring: KeyRing, issuer: str) -> str:
    """Return the refresh token for `claims`. Its audience is the issuer itself: it is of no use to anyone else."""
    payload = {name: getattr(claims, name) for name in ("sub", "sid", "jti", "gen", "iat", "exp")}
    payload |= {"iss": issuer, "aud": issuer, "type": "refresh"}
    if claims.remember:
        payload["remember"] = True
    return write(payload, REFRESH, ring.current)


def read_access(token: str, *, ring: KeyRing, issuer: str, audience: str) -> AccessClaims:
    """Return the claims of an authentic access token, whenever it was made (see `check_times`).

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
        new=_flag(claims, "new"),
        partial=_flag(claims, "partial"),
        idx=_status_index(claims, issuer),
        auth_time=_number(claims, "auth_time") if "auth_time" in claims else None,
        amr=_texts(claims, "amr"),
        acr=_text(claims, "acr") if "acr" in claims else "",
        user=_user_claims(claims),
    )


def read_refresh(token: str, *, ring: KeyRing, issuer: str) -> RefreshClaims:
    """Return the claims of an authentic refresh token, whenever it was made.

    Raises InvalidToken, with the exact cause, for anything else.
    """
    claims = _read(token, REFRESH, "refresh", ring, issuer, issuer)
    read = RefreshClaims(
        sub=_text(claims, "sub"),
        sid=_uuid(claims, "sid"),
        jti=_uuid(claims, "jti"),
        gen=_number(claims, "gen"),
        iat=_number(claims, "iat"),
        exp=_number(claims, "exp"),
        remember=_flag(claims, "remember"),
    )
    if claims:
        raise InvalidToken("The token has a claim that does not belong to its kind.")
    return read


def signer(token: str, *, ring: KeyRing) -> Key:
    """Return the key of `ring` that signed `token`, of whichever kind. Raises InvalidToken."""
    key = _key(_parse(token), ring)
    _verified(token, key)
    return key


def header_of(token: str) -> dict[str, object]:
    """Return the header of a token by somebody else, whatever its members. Raises InvalidToken."""
    return _object(_decoded(_segment(token)), "The header")


def payload_of(token: str, key: Key) -> dict[str, object]:
    """Return the payload of a token that `key` signed, whose header was checked. Raises InvalidToken."""
    return _object(_verified(token, key), "The payload")


def check_times(claims: AccessClaims | RefreshClaims, *, now: float, lifetime: float) -> None:
    """Raise ExpiredToken after `exp`, or once the token is older than `lifetime` (in seconds).

    Raises InvalidToken if `iat` lies further in the future than clocks may differ.
    """
    if claims.iat > now + LEEWAY:
        raise InvalidToken("The token was made in the future.")
    if now >= end(claims, lifetime):
        raise ExpiredToken("The token has expired.")


def end(claims: AccessClaims | RefreshClaims, lifetime: float) -> float:
    """Return when a token is over that may be no older than `lifetime`, which its site may have shortened since."""
    return min(claims.exp, claims.iat + lifetime)


def status_uri(issuer: str) -> str:
    """Return the URL of the status list of `issuer`: in access tokens, and in the list as its subject."""
    return issuer.rstrip("/") + STATUS_LIST


def write(payload: dict[str, object], typ: str, key: Key) -> str:
    """Return a JWT with these claims and this type, signed with `key`."""
    text = json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()  # a third of the escapes' length
    return _jws.encode(text, key.secret, key.alg, headers={"kid": key.kid, "typ": typ})


def _read(token: str, typ: str, kind: str, ring: KeyRing, issuer: str, audience: str) -> dict[str, object]:
    header = _parse(token)
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


def _parse(token: str) -> dict[str, str]:
    return _header(_segment(token))


def _segment(token: str) -> str:
    """Return the header of a token of the right shape, undecoded."""
    if len(token) > MAX_LENGTH:
        raise InvalidToken("The token is longer than 2,048 characters.")
    if not _COMPACT.fullmatch(token):
        raise InvalidToken("The token is not three parts of the base64url alphabet.")
    return token.partition(".")[0]


@lru_cache(maxsize=64)
def _header(segment: str) -> dict[str, str]:
    """Return the header's three members. Tokens of one key and kind share a header, so it is parsed once for each."""
    members = _object(_decoded(segment), "The header")
    if members.keys() != {"alg", "kid", "typ"}:
        raise InvalidToken("The header's members are not exactly alg, kid and typ.")  # jku, jwk, x5u, crit, zip, ...
    header = {name: value for name, value in members.items() if isinstance(value, str)}
    if header != members:
        raise InvalidToken("A member of the header is not text.")
    return header


def _key(header: dict[str, str], ring: KeyRing) -> Key:
    key = ring.verifying.get(header["kid"])
    if key is None:
        raise InvalidToken("The key is not on the ring.")
    if not key.serves(header["alg"]):
        raise InvalidToken("The algorithm is not the key's.")
    return key


def _verified(token: str, key: Key) -> bytes:
    """Return the payload of a token whose header was checked already.

    PyJWT would parse the header once more, which takes longer than the verification.
    """
    signed, _, signature = token.rpartition(".")
    try:
        payload, proof = _decoded(signed.partition(".")[2]), _decoded(signature)
    except InvalidToken:
        raise InvalidToken("The token cannot be decoded.") from None
    if not ALGORITHMS[key.alg].verify(signed.encode(), key.verifier, proof):
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


def _object(data: bytes, what: str) -> dict[str, object]:
    try:
        value = _strict.decode(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise InvalidToken(f"{what} is not strict JSON in UTF-8.") from None
    if not isinstance(value, dict):
        raise InvalidToken(f"{what} is not a JSON object.")
    return value


def _unique_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is duplicated")
    for value in members.values():
        if type(value) is str:
            value.encode()  # JSON can escape half a character; UnicodeEncodeError is a ValueError
    return members


def _refuse(constant: str) -> None:
    raise ValueError(constant)


_strict = json.JSONDecoder(object_pairs_hook=_unique_members, parse_constant=_refuse)


def _text(claims: dict[str, object], name: str) -> str:
    value = claims.pop(name, None)
    if type(value) is not str or not value:
        raise InvalidToken(f"The claim `{name}` is missing or not text.")
    return value


def _texts(claims: dict[str, object], name: str) -> tuple[str, ...]:
    values = claims.pop(name, [])
    if type(values) is not list or not all(type(value) is str and value for value in values):
        raise InvalidToken(f"The claim `{name}` is not a list of texts.")
    return tuple(values)


def _number(claims: dict[str, object], name: str) -> int:
    value = claims.pop(name, None)
    if type(value) is not int or not 0 <= value < LARGEST:  # bool is an int, too: type() and not isinstance()
        raise InvalidToken(f"The claim `{name}` is missing or not a plain integer.")
    return value


def _flag(claims: dict[str, object], name: str) -> bool:
    value = claims.pop(name, False)
    if type(value) is not bool:
        raise InvalidToken(f"The claim `{name}` is not a boolean.")
    return value


def _status(idx: int, issuer: str) -> dict[str, dict[str, int | str]]:
    """Return how a token names its entry in the status list (draft-ietf-oauth-status-list §6.2)."""
    return {"status_list": {"idx": idx, "uri": status_uri(issuer)}}


def _status_index(claims: dict[str, object], issuer: str) -> int | None:
    if "status" not in claims:
        return None
    status = claims.pop("status")
    named = status.get("status_list") if type(status) is dict else None
    idx = named.get("idx") if type(named) is dict else None
    if type(idx) is not int or not 0 <= idx < LARGEST or status != _status(idx, issuer):
        raise InvalidToken("The claim `status` is not an entry of this site's status list.")
    return idx


def _uuid(claims: dict[str, object], name: str) -> str:
    value = _text(claims, name)
    if not _UUID.fullmatch(value):
        raise InvalidToken(f"The claim `{name}` is not a UUID in its canonical form.")
    return value


def _user_claims(claims: dict[str, object]) -> dict[str, Claim]:
    if "nbf" in claims:
        raise InvalidToken("The token has a claim that does not belong to its kind.")
    plain = {name: value for name, value in claims.items() if value is None or isinstance(value, str | int)}
    if plain != claims:
        raise InvalidToken("A claim about the user is not a plain value.")
    return plain
