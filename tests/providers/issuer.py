"""An OpenID Connect provider on loopback, which signs with real keys and can be told to misbehave."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from secrets import token_urlsafe
from time import time
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.http_server import Handler, serving

KEY, OTHER_KEY = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))


def challenge(verifier: str) -> str:
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


class Issuer:
    """`claims` and `header` change the ID token, `pages` what a path answers, `sign` how it is signed."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.behave()

    def behave(self) -> None:
        """Answer as it should, whatever a test has changed."""
        self.claims: dict[str, Any] = {"sub": "248289761001", "email": "carol@example.org", "email_verified": True}
        self.without: set[str] = set()
        self.header: dict[str, Any] = {"kid": "one"}
        self.sign = {"key": KEY, "algorithm": "RS256"}
        self.pages: dict[str, Any] = {}
        self.asked: list[str] = []
        self.codes: dict[str, dict[str, str]] = {}

    def authorize(self, url: str) -> dict[str, str]:
        """Sign somebody in whose browser was sent to `url`; return the answer that it brings back."""
        code = token_urlsafe(8)
        self.codes[code] = asked = dict(parse_qsl(urlsplit(url).query))
        return {"code": code, "state": asked["state"]}

    def answer(self, path: str, form: dict[str, str]) -> Any:
        self.asked.append(path)
        if path in self.pages:
            return self.pages[path]
        match path:
            case "/.well-known/openid-configuration":
                return {
                    "issuer": self.url,
                    "authorization_endpoint": f"{self.url}/authorize",
                    "token_endpoint": f"{self.url}/token",
                    "jwks_uri": f"{self.url}/keys",
                    "userinfo_endpoint": f"{self.url}/userinfo",
                }
            case "/keys":
                public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
                return {"keys": [{**public, "kid": "one", "use": "sig"}]}
            case "/userinfo":
                return {"sub": self.claims["sub"]}
            case "/token" | "/login/oauth/access_token":
                return self.tokens(form)
        return (404, b"")

    def tokens(self, form: dict[str, str]) -> Any:
        asked = self.codes.pop(form.get("code", ""), None)
        if (
            asked is None
            or challenge(form.get("code_verifier", "")) != asked["code_challenge"]
            or form.get("redirect_uri") != asked["redirect_uri"]
        ):
            return (400, json.dumps({"error": "invalid_grant"}).encode())
        now = int(time())
        about = {"iss": self.url, "aud": "us", "iat": now, "exp": now + 300, "nonce": asked.get("nonce")}
        claims = {key: value for key, value in {**about, **self.claims}.items() if key not in self.without}
        token = jwt.encode(claims, **self.sign, headers=self.header)
        return {"access_token": "at", "token_type": "Bearer", "id_token": token}


@contextmanager
def running() -> Iterator[Issuer]:
    """Serve an issuer as long as the block lasts."""

    class Answers(Handler):
        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            answer = issuer.answer(urlsplit(self.path).path, dict(parse_qsl(form)))
            status, body = answer if isinstance(answer, tuple) else (200, json.dumps(answer).encode())
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(body)

    with serving(Answers) as port:
        issuer = Issuer(port)
        yield issuer
