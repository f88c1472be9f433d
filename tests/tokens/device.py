"""A browser with a key of its device, as far as the protocol of device-bound sessions goes."""

import json
import re
from copy import copy
from typing import Any

import jwt
from asgiref.sync import async_to_sync
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import get_default_algorithms

from tokens import cookies
from tokens.testing import AsyncClient, Client

REGISTRATION = re.compile(r'\(ES256 RS256\);path="(?P<path>[^"]+)";challenge="(?P<challenge>[^"]+)"')
CHALLENGE = re.compile(r'"(?P<challenge>[^"]+)";id="(?P<id>[^"]+)"')


class WsgiClient(Client):
    secure = True  # over TLS

    def get(self, *args, **kwargs):
        return super().get(*args, secure=self.secure, **kwargs)

    def post(self, *args, **kwargs):
        return super().post(*args, secure=self.secure, **kwargs)


class AsgiClient(AsyncClient):
    secure = True

    def get(self, *args, **kwargs):
        return async_to_sync(super().get)(*args, secure=self.secure, **kwargs)

    def post(self, *args, **kwargs):
        return async_to_sync(super().post)(*args, secure=self.secure, **kwargs)


class Device:
    """A key, and what the browser remembers beside it. `client` is that browser's jar, which the requests leave out."""

    def __init__(self, client: Any, alg: str = "ES256") -> None:
        self.client, self.alg = client, alg
        self.key: Any = (
            ec.generate_private_key(ec.SECP256R1()) if alg == "ES256" else rsa.generate_private_key(65537, 2048)
        )
        self.challenge = self.session = self.url = ""

    def copy(self) -> "Device":
        """The same device, with another jar."""
        other = copy(self)
        other.client = type(self.client)()
        return other

    @property
    def jwk(self) -> dict[str, Any]:
        public = get_default_algorithms()[self.alg].to_jwk(self.key.public_key(), as_dict=True)
        return {name: value for name, value in public.items() if name != "key_ops"}

    def proof(self, challenge: Any, **header: Any) -> str:
        """A JWT over `challenge`, with these members of its header besides."""
        payload = json.dumps({"jti": challenge}).encode()
        return jwt.PyJWS().encode(payload, self.key, self.alg, headers={"typ": "dbsc+jwt", **header})

    def register(self, offered: Any) -> Any:
        """Take up the offer in a response, and remember what the site answers."""
        offer = REGISTRATION.fullmatch(offered.headers["Secure-Session-Registration"])
        answer = self.post(offer["path"], self.proof(offer["challenge"], jwk=self.jwk))
        if answer.status_code == 200:
            told = json.loads(answer.content)
            self.session, self.url = told["session_identifier"], told["refresh_url"]
        return answer

    def bind(self, offered: Any) -> "Device":
        """Register, and prove it with the next page."""
        assert self.register(offered).status_code == 200
        assert self.refresh().status_code == 200
        return self

    def refresh(self, challenge: str | None = None) -> Any:
        """Send a proof over this challenge, or over the last that came along; the answer is the first one."""
        return self.post(self.url, self.proof(challenge or self.challenge), id=self.session)

    def post(self, url: str, proof: str | None = None, id: str | None = None) -> Any:
        """Send a proof without any cookie; the mark in the answer goes into the jar."""
        sent = {"Secure-Session-Response": proof, "Sec-Secure-Session-Id": id and f'"{id}"'}
        jarless = type(self.client)(enforce_csrf_checks=True)
        answer = jarless.post(url, headers={name: value for name, value in sent.items() if value is not None})
        if "Secure-Session-Challenge" in answer.headers:
            told = CHALLENGE.fullmatch(answer.headers["Secure-Session-Challenge"])
            self.challenge = told["challenge"]
        if (mark := answer.cookies.get(cookies.name_of("bound"))) is not None:
            self.client.cookies[cookies.name_of("bound")] = mark.value
        return answer
