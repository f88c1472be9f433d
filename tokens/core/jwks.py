"""A JWK Set as this site keeps it (RFC 7517 §5): each key with `kid`, `alg`, `use` and a `state`.

`next` is published and does not sign yet, `current` signs (exactly one), `previous` verifies until the last token it
signed has expired. So a key is known to every neighbour before its first use, and after its last.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import Algorithm, get_default_algorithms

from .exceptions import InvalidKeys
from .keys import Key, KeyRing, base64url, thumbprint

NEXT, CURRENT, PREVIOUS = "next", "current", "previous"
STATES = (NEXT, CURRENT, PREVIOUS)
KINDS = {"HS256": "oct", "RS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
HMAC_LEAST = 32  # bytes: as long as the hash (RFC 7518 §3.2)
RSA_LEAST = 2048  # bits (RFC 7518 §3.3)
RSA_NEW = 3072  # bits: 128 bits of security (NIST SP 800-57)

Jwk = dict[str, Any]
JwkSet = dict[str, list[Jwk]]

_NEW: dict[str, Callable[[], Any]] = {
    "HS256": lambda: secrets.token_bytes(HMAC_LEAST),
    "RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=RSA_NEW),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


def ring(jwks: object) -> KeyRing:
    """The ring that a decoded JWK Set describes. Raises InvalidKeys with one sentence that says what is wrong."""
    entries = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise InvalidKeys('A JWK Set is {"keys": [...]} with at least one key.')
    keys = {key.kid: key for key in map(_key, entries)}
    if len(keys) != len(entries):
        raise InvalidKeys("Two keys have the same kid.")
    if len({key.public is None for key in keys.values()}) > 1:
        raise InvalidKeys("An HMAC key beside public keys: whoever knows one could pass for the other.")
    signing = [_kid(entry) for entry in entries if _state(entry, alone=len(entries) == 1) == CURRENT]
    if len(signing) != 1:
        raise InvalidKeys("Exactly one key has to be current.")
    if keys[signing[0]].secret is None:
        raise InvalidKeys("The current key has no private part.")
    return KeyRing(current=keys[signing[0]], verifying=keys)


def generate(alg: str, state: str = CURRENT) -> Jwk:
    """A new private key for `alg`, one of KINDS."""
    made = _NEW[alg]()
    members = {"kty": "oct", "k": base64url(made)} if alg == "HS256" else _members(alg, made)
    return {"kid": thumbprint(members), "alg": alg, "use": "sig", "state": state, **members}


def rotated(jwks: JwkSet) -> JwkSet:
    """The set after one step: next becomes current, current previous, and there is a new next.

    Raises InvalidKeys if the set is not good, or has no next: a key that was never published must not sign.
    """
    current = ring(jwks).current
    if not any(entry.get("state") == NEXT for entry in jwks["keys"]):
        raise InvalidKeys("There is no next key yet: publish one before it signs.")
    after = {NEXT: CURRENT, CURRENT: PREVIOUS}
    moved = [entry | {"state": after.get(_state(entry, alone=False), PREVIOUS)} for entry in jwks["keys"]]
    return {"keys": [generate(current.alg, NEXT), *moved]}


def retired(jwks: JwkSet, kid: str) -> JwkSet:
    """The set without the key `kid`. Raises InvalidKeys unless that is there, and previous."""
    if not any(_kid(entry) == kid and entry.get("state") == PREVIOUS for entry in jwks["keys"]):
        raise InvalidKeys(f"No previous key has the kid {kid}.")
    return {"keys": [entry for entry in jwks["keys"] if _kid(entry) != kid]}


def _key(entry: Jwk) -> Key:
    alg, kty = entry.get("alg"), entry.get("kty")
    if alg not in KINDS:
        raise InvalidKeys(f"An algorithm is none of {', '.join(KINDS)}.")
    if kty != KINDS[alg]:
        raise InvalidKeys(f"A key for {alg} is not of the type {KINDS[alg]}.")
    if entry.get("use", "sig") != "sig":
        raise InvalidKeys("A key is not for signatures.")
    try:
        made = _algorithm(alg).from_jwk(entry)
    except (jwt.InvalidKeyError, ValueError, TypeError, KeyError):
        raise InvalidKeys(f"A key for {alg} cannot be read.") from None
    return _hmac(entry, made) if alg == "HS256" else _pair(entry, made)


def _hmac(entry: Jwk, secret: bytes) -> Key:
    if len(secret) < HMAC_LEAST:
        raise InvalidKeys(f"An HMAC key is shorter than {HMAC_LEAST} bytes.")
    try:
        _algorithm(entry["alg"]).prepare_key(secret)
    except jwt.InvalidKeyError:  # whoever may see that one could sign
        raise InvalidKeys("An HMAC key is the public key of a pair, or a certificate.") from None
    return Key(_kid(entry), entry["alg"], secret)


def _pair(entry: Jwk, made: Any) -> Key:
    private = hasattr(made, "private_bytes")
    public = made.public_key() if private else made
    if isinstance(public, rsa.RSAPublicKey) and public.key_size < RSA_LEAST:
        raise InvalidKeys(f"An RSA key is shorter than {RSA_LEAST} bits.")
    if isinstance(public, ec.EllipticCurvePublicKey) and not isinstance(public.curve, ec.SECP256R1):
        raise InvalidKeys("A key for ES256 is not on the curve P-256.")
    if entry["kty"] == "OKP" and not isinstance(public, ed25519.Ed25519PublicKey):
        raise InvalidKeys("A key for EdDSA is not on the curve Ed25519.")
    kid, alg = _kid(entry), entry["alg"]
    shown = {"kid": kid, "alg": alg, "use": "sig", **_members(alg, public)}
    return Key(kid, alg, made if private else None, public, shown)


def _members(alg: str, key: Any) -> dict[str, str]:
    return {name: value for name, value in _algorithm(alg).to_jwk(key, as_dict=True).items() if name != "key_ops"}


def _kid(entry: Jwk) -> str:
    kid = entry.get("kid") or thumbprint(entry)
    if not isinstance(kid, str):
        raise InvalidKeys("A kid is not text.")
    return kid


def _state(entry: Jwk, *, alone: bool) -> str:
    state = entry.get("state", CURRENT if alone else None)
    if state not in STATES:
        raise InvalidKeys(f"A key's state is none of {', '.join(STATES)}; only a single key needs none.")
    return str(state)


def _algorithm(alg: str) -> Algorithm:
    return get_default_algorithms()[alg]
