"""What nobody gets below: a signature checked by the standard library, and PyJWT's decode alone."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from hashlib import sha256
from typing import Any

SECRET = b"thirty-two bytes that nobody has"
CLAIMS = {"iss": "http://localhost", "aud": "http://localhost", "sub": "1", "exp": 2**40, "username": "alice"}


def by_hand() -> Callable[[], Any]:
    """Return what verifies HS256 by `hmac` and `json`: nothing but the signature."""
    import jwt

    token = jwt.encode(CLAIMS, SECRET, "HS256").encode()

    def read() -> Any:
        signed, _, signature = token.rpartition(b".")
        if not hmac.compare_digest(hmac.digest(SECRET, signed, sha256), urlsafe_b64decode(signature + b"=")):
            raise ValueError
        payload = signed.partition(b".")[2]
        return json.loads(urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))

    return read


def pyjwt(token: str, key: Any, alg: str) -> dict[str, Any]:
    """Return the claims as PyJWT's documentation has it: by signature, `exp`, `iat`, the issuer and the audience."""
    import jwt

    return jwt.decode(token, key, algorithms=[alg], issuer="http://localhost", audience="http://localhost")
