"""Tokens that nobody should take: real ones that were damaged, and others made with the real key."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from tokens.core.keys import Key

GONE = object()  # a member that is to be left out


def base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def part(token: str, place: int) -> bytes:
    """The octets of the header (0), the payload (1) or the signature (2) of `token`."""
    segment = token.split(".")[place]
    return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def signed(header: str, payload: str, key: Key) -> str:
    """A token of two segments as they are, with the signature that HS256 gives them."""
    text = f"{header}.{payload}"
    return f"{text}.{base64url(hmac.digest(key.secret, text.encode(), hashlib.sha256))}"


def raw(header: bytes, payload: bytes, key: Key) -> str:
    """A token of any octets whatever, well signed."""
    return signed(base64url(header), base64url(payload), key)


def altered(
    token: str, key: Key, *, header: dict[str, Any] | None = None, payload: dict[str, Any] | None = None
) -> str:
    """`token` with other members (GONE takes one out), signed again."""
    return raw(_merged(part(token, 0), header), _merged(part(token, 1), payload), key)


def with_header(token: str, octets: bytes, key: Key) -> str:
    """`token` with a header of these octets, signed again."""
    return raw(octets, part(token, 1), key)


def with_payload(token: str, octets: bytes, key: Key) -> str:
    """`token` with a payload of these octets, signed again."""
    return raw(part(token, 0), octets, key)


def _merged(octets: bytes, changes: dict[str, Any] | None) -> bytes:
    members = json.loads(octets) | (changes or {})
    kept = {name: value for name, value in members.items() if value is not GONE}
    return json.dumps(kept, separators=(",", ":")).encode()
