"""Read the proofs of device-bound sessions: JWTs that a browser signs with a key of its machine (W3C DBSC §8).

As strict as the site's own tokens, and without Django or a clock. What the challenge is worth is asked elsewhere.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from . import jwt
from .exceptions import InvalidKeys, InvalidToken
from .keys import THUMBPRINT, Jwk, Key, public_key

TYPE = "dbsc+jwt"
ALGORITHMS = ("ES256", "RS256")


@dataclass(frozen=True, slots=True)
class Proof:
    """What a browser has signed: our `challenge`, with `key` (the text that a row keeps)."""

    challenge: str
    key: str


def read_registration(token: str) -> Proof:
    """Return the proof of a new key, which the header itself brings. Raises InvalidToken."""
    header = jwt.header_of(token)
    if header.keys() != {"alg", "typ", "jwk"}:
        raise InvalidToken("The header's members are not exactly alg, typ and jwk.")
    jwk = header["jwk"]
    if not isinstance(jwk, dict):
        raise InvalidToken("The key is not a JSON object.")
    key = _key(jwk | {"alg": header["alg"]})
    assert key.jwk is not None  # noqa: S101  (a public key has one)
    kept = {name: key.jwk[name] for name in ("alg", *THUMBPRINT[key.jwk["kty"]])}
    return Proof(_challenge(token, header, key), json.dumps(kept, separators=(",", ":")))


def read_refresh(token: str, key: str) -> Proof:
    """Return the proof of `key`, which a row keeps. Raises InvalidToken."""
    header = jwt.header_of(token)
    if header.keys() != {"alg", "typ"}:
        raise InvalidToken("The header's members are not exactly alg and typ.")
    return Proof(_challenge(token, header, _key(json.loads(key))), key)


def _key(jwk: Jwk) -> Key:
    if jwk["alg"] not in ALGORITHMS:
        raise InvalidToken("The algorithm is not one of those that were offered.")
    if jwk.get("kty") == "RSA" and jwk.get("e") != "AQAB":  # 65537; a long exponent takes long to verify
        raise InvalidToken("The exponent of the key is not the usual one.")
    try:
        return public_key(jwk)
    except InvalidKeys as error:
        raise InvalidToken(str(error)) from None


def _challenge(token: str, header: dict[str, object], key: Key) -> str:
    if header["typ"] != TYPE:
        raise InvalidToken("The token is of another type.")
    if header["alg"] != key.alg:
        raise InvalidToken("The algorithm is not the key's.")
    challenge = jwt.payload_of(token, key).get("jti")
    if not isinstance(challenge, str):
        raise InvalidToken("The claim `jti` is missing or not text.")
    return challenge
