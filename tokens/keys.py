"""The keys that sign and verify. A key has one algorithm; a token's own `alg` only has to agree (RFC 8725 §3.1)."""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PURPOSE = b"sojourn tokens: HS256 signing key, version 1"


@dataclass(frozen=True, slots=True)
class Key:
    """One key: `kid` names it in headers, `alg` is the only algorithm it serves."""

    kid: str
    alg: str
    secret: bytes


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The key that signs, and all that verify (the signing one among them)."""

    current: Key
    verifying: dict[str, Key]

    def public(self) -> list[dict[str, str]]:
        """The members of the JWK Set for neighbours (RFC 7517 §5). An HMAC key is never among them."""
        return []


@lru_cache(maxsize=8)
def derived_ring(*secrets: str | bytes) -> KeyRing:
    """A ring of HS256 keys, each derived from one of `secrets`; the first signs, all verify."""
    keys = [derive(secret) for secret in secrets]
    return KeyRing(current=keys[0], verifying={key.kid: key for key in keys})


def derive(secret: str | bytes) -> Key:
    """An HS256 key of 256 bits for this purpose alone (RFC 5869), so that no other use of `secret` can sign tokens."""
    octets = secret.encode() if isinstance(secret, str) else secret
    material = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(octets)
    return Key(kid=_thumbprint(material), alg="HS256", secret=material)


def _thumbprint(secret: bytes) -> str:
    """The name of a symmetric key: its JWK thumbprint (RFC 7638 §3.2)."""
    members = json.dumps({"k": _base64url(secret), "kty": "oct"}, separators=(",", ":"))
    return _base64url(hashlib.sha256(members.encode()).digest())


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
