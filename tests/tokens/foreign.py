"""Two other JOSE libraries, as readers of tokens and as forgers, who sign whatever they can be talked into."""

import json
from functools import cache
from typing import Any

from joserfc import jwe as joserfc_jwe
from joserfc import jws as joserfc_jws
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet, import_key
from joserfc.registry import HeaderParameter
from jwcrypto.common import JWSEHeaderParameter
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK, JWKSet
from jwcrypto.jws import JWS
from jwcrypto.jwt import JWT

from tokens.core.keys import Jwk

Header = dict[str, Any]


class Jwcrypto:
    def read(self, token: str, keys: list[Jwk], alg: str) -> dict[str, Any]:
        """The claims of a token that one of these keys verifies."""
        known = JWKSet.from_json(json.dumps({"keys": keys}))
        claims: dict[str, Any] = json.loads(JWT(jwt=token, key=known, algs=[alg], expected_type="JWS").claims)
        return claims

    def sign(self, header: Header, payload: bytes, key: Jwk) -> str:
        return str(self._signed(header, payload, key).serialize(compact=True))

    def sign_in_json(self, header: Header, payload: bytes, key: Jwk) -> str:
        return str(self._signed(header, payload, key).serialize())

    def sign_detached(self, header: Header, payload: bytes, key: Jwk) -> str:
        jws = self._signed(header, payload, key)
        jws.detach_payload()
        return str(jws.serialize(compact=True))

    def encrypt(self, header: Header, payload: bytes, key: Jwk) -> str:
        jwe = JWE(payload, protected=json.dumps(header))
        jwe.add_recipient(_jwcrypto_key(json.dumps(key)))
        return str(jwe.serialize(compact=True))

    def _signed(self, header: Header, payload: bytes, key: Jwk) -> JWS:
        jws = JWS(payload, header_registry={"exp": JWSEHeaderParameter("Expiry", True, True, None)})
        jws.allowed_algs = [header["alg"]]
        jws.add_signature(_jwcrypto_key(json.dumps(key)), header["alg"], json.dumps(header))
        return jws


class Joserfc:
    def read(self, token: str, keys: list[Jwk], alg: str) -> dict[str, Any]:
        known = KeySet.import_key_set({"keys": keys})  # type: ignore[typeddict-item]
        return dict(joserfc_jwt.decode(token, known, algorithms=[alg]).claims)

    def sign(self, header: Header, payload: bytes, key: Jwk) -> str:
        return joserfc_jws.serialize_compact(
            header, payload, _joserfc_key(json.dumps(key)), registry=self._registry(header)
        )

    def sign_in_json(self, header: Header, payload: bytes, key: Jwk) -> str:
        members: Any = {"protected": header}
        return json.dumps(
            joserfc_jws.serialize_json(members, payload, _joserfc_key(json.dumps(key)), registry=self._registry(header))
        )

    def sign_detached(self, header: Header, payload: bytes, key: Jwk) -> str:
        return joserfc_jws.detach_content(self.sign(header, payload, key))

    def encrypt(self, header: Header, payload: bytes, key: Jwk) -> str:
        return joserfc_jwe.encrypt_compact(header, payload, _joserfc_key(json.dumps(key)))

    def _registry(self, header: Header) -> joserfc_jws.JWSRegistry:
        extra = {"exp": HeaderParameter("Expiry", "int")}
        return joserfc_jws.JWSRegistry(extra, algorithms=[header["alg"]], strict_check_header=False)


@cache  # to look at an RSA key takes half a second
def _jwcrypto_key(text: str) -> JWK:
    return JWK.from_json(text)


@cache
def _joserfc_key(text: str) -> Any:
    return import_key(json.loads(text))
