"""A site of a test's own, which publishes whatever the test wants and counts who reads it."""

import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import time
from typing import Any
from uuid import uuid4

import jwt

from tests.http_server import Handler, serving
from tests.security.forging import base64url
from tokens.core import keys

SIZE = 64  # places in its status list
TTL = 1


class Issuer:
    """It counts who asks for what; `away`, it answers 503."""

    def __init__(self) -> None:
        self.ring = keys.parse_jwks({"keys": [keys.generate_jwk("ES256")]})
        self.published: str | None = None  # the status list
        self.others: list[dict[str, str]] = []  # keys beside those of the ring
        self.asked: Counter[str] = Counter()
        self.away = False

    @contextmanager
    def serving(self) -> Iterator["Issuer"]:
        with serving(answering(self)) as port:
            self.url = f"http://127.0.0.1:{port}"
            self.uri = f"{self.url}/.well-known/status-list"
            yield self

    def access(self, idx: Any = None, **changes: Any) -> str:
        """A good access token, but for `changes`; with `idx` it has that place in the status list."""
        now = int(time())
        claims = {"iss": self.url, "aud": self.url, "sub": "1", "username": "bob", "is_staff": False}
        claims |= {"sid": str(uuid4()), "jti": str(uuid4()), "iat": now, "exp": now + 900}
        if idx is not None:
            claims["status"] = {"status_list": {"idx": idx, "uri": self.uri}}
        return self.signed(claims | changes, "at+jwt")

    def status_list(
        self, ended: Iterable[int] | dict[int, int] = (), *, bits: int = 1, typ: str = "statuslist+jwt", **changes: Any
    ) -> str:
        """A good list, but for `changes`, of SIZE places, of which `ended` are, with other statuses than 1 perhaps."""
        statuses = ended if isinstance(ended, dict) else dict.fromkeys(ended, 1)
        octets = bytearray(SIZE * bits // 8)
        for place, status in statuses.items():
            octets[place * bits // 8] |= status << place * bits % 8
        lst = base64url(zlib.compress(octets))
        claims = {"iss": self.url, "sub": self.uri, "iat": int(time()), "exp": int(time()) + 60, "ttl": TTL}
        return self.signed(claims | {"status_list": {"bits": bits, "lst": lst}} | changes, typ)

    def signed(self, claims: dict[str, Any], typ: str, **header: str) -> str:
        key = self.ring.current
        return jwt.encode(claims, key.secret, key.alg, headers={"kid": key.kid, "typ": typ} | header)

    def body(self, path: str) -> bytes | None:
        """What stands at `path`, and is counted."""
        self.asked[path] += 1
        if self.away:
            return None
        if path == "/.well-known/jwks.json":
            return json.dumps({"keys": [*self.others, *self.ring.public()]}).encode()
        return self.published.encode() if self.published else None


def answering(issuer: Issuer) -> type[Handler]:
    class Published(Handler):
        def do_GET(self) -> None:
            body = issuer.body(self.path)
            self.send_response(503 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

    return Published
