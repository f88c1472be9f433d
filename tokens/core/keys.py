"""The keys that sign and verify. A key has one algorithm; a token's own `alg` only has to agree (RFC 8725 §3.1)."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PURPOSE = b"sojourn tokens: HS256 signing key, version 1"

THUMBPRINT = {"oct": ("k", "kty"), "RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}


@dataclass(frozen=True, slots=True)
class Key:
    """One key: `kid` names it in headers, `alg` is the only algorithm it serves.

    `secret` signs: bytes for HS256, else a private key, or None where only the public half is here. `public` is that
    half, and `jwk` the same for neighbours (RFC 7517); an HMAC key has neither.
    """

    kid: str
    alg: str
    secret: Any
    public: Any = None
    jwk: dict[str, str] | None = None

    @property
    def verifier(self) -> Any:
        """What proves a signature of this key."""
        return self.secret if self.public is None else self.public


@dataclass(frozen=True, slots=True, eq=False)
class KeyRing:
    """The key that signs, and all that verify (the signing one among them)."""

    current: Key
    verifying: dict[str, Key]

    def public(self) -> list[dict[str, str]]:
        """The members of the JWK Set for neighbours (RFC 7517 §5). An HMAC key is never among them."""
        return [key.jwk for key in self.verifying.values() if key.jwk]


@lru_cache(maxsize=8)
def derived_ring(*secrets: str | bytes) -> KeyRing:
    """A ring of HS256 keys, each derived from one of `secrets`; the first signs, all verify."""
    keys = [derive(secret) for secret in secrets]
    return KeyRing(current=keys[0], verifying={key.kid: key for key in keys})


def derive(secret: str | bytes) -> Key:
    """An HS256 key of 256 bits for this purpose alone (RFC 5869), so that no other use of `secret` can sign tokens."""
    octets = secret.encode() if isinstance(secret, str) else secret
    material = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(octets)
    return Key(kid=thumbprint({"k": base64url(material), "kty": "oct"}), alg="HS256", secret=material)


def thumbprint(jwk: dict[str, Any]) -> str:
    """The name of a key: the hash of its required members (RFC 7638 §3). `kty` has to be one of THUMBPRINT's."""
    members = {name: jwk[name] for name in THUMBPRINT[jwk["kty"]]}
    return base64url(sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).digest())


def base64url(data: bytes) -> str:
    """Base64url without padding (RFC 7515 §2)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()
