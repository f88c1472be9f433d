"""The keys that sign and verify, and the JWK Set that keeps them (RFC 7517 §5).

A key has one algorithm; a token's own `alg` only has to agree (RFC 8725 §3.1). In a set each key has `kid`, `alg`,
`use` and a `state`: `next` is published and does not sign yet, `current` signs (exactly one), `previous` verifies until
the last token it signed has expired. So a key is known to every neighbour before its first use, and after its last.
`since` is the time (Unix, seconds) at which it entered that state.
"""

from __future__ import annotations

import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from jwt.algorithms import get_default_algorithms

from .exceptions import InvalidKeys

PURPOSE = b"sojourn tokens: HS256 signing key, version 1"

THUMBPRINT = {"oct": ("k", "kty"), "RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}


NEXT, CURRENT, PREVIOUS = "next", "current", "previous"
STATES = (NEXT, CURRENT, PREVIOUS)
ED25519 = ("EdDSA", "Ed25519")  # two names of one algorithm (RFC 9864 §2.2)
KINDS = {"HS256": "oct", "RS256": "RSA", "ES256": "EC", **dict.fromkeys(ED25519, "OKP")}
HMAC_LEAST = 32  # bytes: as long as the hash (RFC 7518 §3.2)
RSA_LEAST = 2048  # bits (RFC 7518 §3.3)
RSA_NEW = 3072  # bits: 128 bits of security (NIST SP 800-57)
SPREAD = 3600  # seconds until everybody knows a new set: servers reload in one minute, neighbours and caches in ten

Jwk = dict[str, Any]  # decoded JSON
JwkSet = dict[str, list[Jwk]]

_NEW: dict[str, Callable[[], Any]] = {
    "HS256": lambda: secrets.token_bytes(HMAC_LEAST),
    "RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=RSA_NEW),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    **dict.fromkeys(ED25519, ed25519.Ed25519PrivateKey.generate),
}
ALGORITHMS = get_default_algorithms()
ALGORITHMS["Ed25519"] = ALGORITHMS["EdDSA"]


@dataclass(frozen=True, slots=True)
class Key:
    """One key: `kid` names it in headers, `alg` is the only algorithm it serves.

    `secret` signs: bytes for HS256, else a private key, or None where only the public half is here. `public` is that
    half, and `jwk` the same for neighbours (RFC 7517); an HMAC key has neither. `since` is when it got its state, in
    seconds since the epoch, if the set says so.
    """

    kid: str
    alg: str
    secret: Any
    public: Any = None
    jwk: dict[str, str] | None = None
    since: int | None = None

    @property
    def verifier(self) -> Any:
        """Return the half that verifies signatures of this key."""
        return self.secret if self.public is None else self.public

    def serves(self, alg: str) -> bool:
        """Return whether `alg` is the name of the key's algorithm."""
        return alg == self.alg or (alg in ED25519 and self.alg in ED25519)


@dataclass(frozen=True, slots=True, eq=False)
class KeyRing:
    """The key that signs, and all that verify, including the signing one."""

    current: Key
    verifying: dict[str, Key]

    def public(self) -> list[dict[str, str]]:
        """Return the members of the published JWK Set (RFC 7517 §5). An HMAC key is never among them."""
        return [key.jwk for key in self.verifying.values() if key.jwk]


@lru_cache(maxsize=8)
def derived_ring(*secrets: str | bytes) -> KeyRing:
    """Return a ring of HS256 keys, each derived from one of `secrets`; the first signs, all verify."""
    keys = [derive(secret) for secret in secrets]
    return KeyRing(current=keys[0], verifying={key.kid: key for key in keys})


def derive(secret: str | bytes) -> Key:
    """Return an HS256 key of 256 bits for this purpose alone (RFC 5869): no other use of `secret` can sign tokens."""
    octets = secret.encode() if isinstance(secret, str) else secret
    material = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(octets)
    return Key(kid=thumbprint({"k": base64url(material), "kty": "oct"}), alg="HS256", secret=material)


def thumbprint(jwk: Jwk) -> str:
    """Return the hash of a key's required members (RFC 7638 §3). `kty` has to be one of THUMBPRINT's."""
    members = {name: jwk[name] for name in THUMBPRINT[jwk["kty"]]}
    return base64url(sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).digest())


def base64url(data: bytes) -> str:
    """Return `data` as base64url without padding (RFC 7515 §2)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def parse_jwks(jwks: object) -> KeyRing:
    """Return the ring that a decoded JWK Set describes.

    Raises InvalidKeys with one sentence that says what is wrong.
    """
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
        raise InvalidKeys("Exactly one key must be current.")
    if keys[signing[0]].secret is None:
        raise InvalidKeys("The current key has no private part.")
    return KeyRing(current=keys[signing[0]], verifying=keys)


def public_key(entry: Jwk) -> Key:
    """Return the public key in `entry`. Raises InvalidKeys, for one with a private part too."""
    # A stranger's private key is not even read: looking for its prime factors can take many seconds.
    if "d" in entry or (key := _key(entry)).public is None:
        raise InvalidKeys("A key is not public.")
    return key


def generate_jwk(alg: str, state: str = CURRENT) -> Jwk:
    """Return a new private key for `alg`, one of KINDS."""
    made = _NEW[alg]()
    members = {"kty": "oct", "k": base64url(made)} if alg == "HS256" else _members(alg, made)
    return {"kid": thumbprint(members), "alg": alg, "use": "sig", "state": state, **members}


def generate_jwks(alg: str, now: int) -> JwkSet:
    """Return a new set for `alg`: a current key, and the next one."""
    return {"keys": [generate_jwk(alg, state) | {"since": now} for state in (NEXT, CURRENT)]}


def rotate_jwks(jwks: JwkSet, now: int) -> JwkSet:
    """Return the set after one step: next becomes current, current previous, and there is a new next.

    Raises InvalidKeys if the set is invalid or has no next key: a key that was never published must not sign.
    """
    current = parse_jwks(jwks).current
    following(jwks)
    after = {NEXT: {"state": CURRENT, "since": now}, CURRENT: {"state": PREVIOUS, "since": now}}
    moved = [entry | after.get(_state(entry, alone=False), {}) for entry in jwks["keys"]]
    return {"keys": [generate_jwk(current.alg, NEXT) | {"since": now}, *moved]}


def retire_jwk(jwks: JwkSet, kid: str) -> JwkSet:
    """Return the set without the key `kid`. Raises InvalidKeys unless it is there, as a previous key."""
    retired = previous(jwks, kid)
    return {"keys": [entry for entry in jwks["keys"] if entry is not retired]}


def following(jwks: JwkSet) -> Jwk:
    """Return the next key. Raises InvalidKeys if there is none."""
    for entry in jwks["keys"]:
        if entry.get("state") == NEXT:
            return entry
    raise InvalidKeys("There is no next key yet: publish one before it signs.")


def previous(jwks: JwkSet, kid: str) -> Jwk:
    """Return the previous key `kid`. Raises InvalidKeys if there is none."""
    for entry in jwks["keys"]:
        if _kid(entry) == kid and entry.get("state") == PREVIOUS:
            return entry
    raise InvalidKeys(f"No previous key has the kid {kid}.")


def _key(entry: Jwk) -> Key:
    alg, kty = entry.get("alg"), entry.get("kty")
    if not isinstance(alg, str) or alg not in KINDS:
        raise InvalidKeys(f"An algorithm is none of {', '.join(KINDS)}.")
    if kty != KINDS[alg]:
        raise InvalidKeys(f"A key for {alg} is not of the type {KINDS[alg]}.")
    if entry.get("use", "sig") != "sig":
        raise InvalidKeys("A key is not for signatures.")
    if not isinstance(entry.get("since", 0), int):
        raise InvalidKeys("A key's since is not a number of seconds.")
    try:
        made = ALGORITHMS[alg].from_jwk(entry)
    except Exception:  # the libraries below have an error of their own for each type that JSON can hold
        raise InvalidKeys(f"A key for {alg} cannot be read.") from None
    _check_operations(entry)
    return _hmac(entry, made) if alg == "HS256" else _pair(entry, made)


def _check_operations(entry: Jwk) -> None:
    """Raise InvalidKeys if `key_ops` (RFC 7517 §4.3) forbids what the key is for. A public half needs no mention."""
    needed = ("sign", "verify") if entry["kty"] == "oct" else ("sign" if "d" in entry else "verify",)
    allowed = entry.get("key_ops", needed)
    if not isinstance(allowed, (list, tuple)) or not all(operation in allowed for operation in needed):
        raise InvalidKeys(f"A key's key_ops does not have {' and '.join(needed)}.")


def _hmac(entry: Jwk, secret: bytes) -> Key:
    if len(secret) < HMAC_LEAST:
        raise InvalidKeys(f"An HMAC key is shorter than {HMAC_LEAST} bytes.")
    try:
        ALGORITHMS[entry["alg"]].prepare_key(secret)
    except jwt.InvalidKeyError:  # whoever may see that one could sign
        raise InvalidKeys("An HMAC key is the public key of a pair, or a certificate.") from None
    return Key(_kid(entry), entry["alg"], secret, since=entry.get("since"))


def _pair(entry: Jwk, made: Any) -> Key:
    kid, alg = _kid(entry), entry["alg"]
    private = hasattr(made, "private_bytes")
    public = made.public_key() if private else made
    if isinstance(public, rsa.RSAPublicKey) and public.key_size < RSA_LEAST:
        raise InvalidKeys(f"An RSA key is shorter than {RSA_LEAST} bits.")
    if isinstance(public, ec.EllipticCurvePublicKey) and not isinstance(public.curve, ec.SECP256R1):
        raise InvalidKeys("A key for ES256 is not on the curve P-256.")
    if entry["kty"] == "OKP" and not isinstance(public, ed25519.Ed25519PublicKey):
        raise InvalidKeys(f"A key for {alg} is not on the curve Ed25519.")
    shown = {"kid": kid, "alg": alg, "use": "sig", **_members(alg, public)}
    return Key(kid, alg, made if private else None, public, shown, since=entry.get("since"))


def _members(alg: str, key: Any) -> dict[str, str]:
    return {name: value for name, value in ALGORITHMS[alg].to_jwk(key, as_dict=True).items() if name != "key_ops"}


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
