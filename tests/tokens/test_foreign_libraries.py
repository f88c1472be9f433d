"""Another library reads our tokens, and signs what we have to read or refuse."""

import json
from time import time
from uuid import uuid4

import pytest
from django.test import Client
from jwcrypto.jwk import JWK, JWKSet
from jwcrypto.jws import JWS
from jwcrypto.jwt import JWT

from tests.security.forging import base64url
from tests.tokens.clock import jar
from tokens import verification
from tokens.conf import conf
from tokens.core import keyfile, keys

pytestmark = [pytest.mark.once, pytest.mark.urls("tests.tokens.urls")]

# Of the same key, other algorithms.
SISTERS = {"HS256": ["HS384", "HS512"], "RS256": ["PS256", "RS384", "RS512"]}


@pytest.fixture(params=list(keys.KINDS))
def alg(request):
    return request.param


@pytest.fixture
def key(alg, settings, tmp_path):
    """The site's key, in the other library's words."""
    entry = keys.generate_jwk(alg)
    if alg == "HS256":
        entry["k"] = base64url(bytes(range(64)))  # long enough for HS512 as well
    keyfile.write(tmp_path / "keys.json", {"keys": [entry]})
    settings.TOKENS_KEYS = str(tmp_path / "keys.json")
    return JWK(**{name: value for name, value in entry.items() if name not in ("alg", "use", "state", "kid")})


def signed(key, alg):
    """An access token of ours, signed by the other library."""
    now, uuid = int(time()), str(uuid4())
    claims = {"iss": conf.issuer, "aud": conf.audience, "type": "access", "sub": uuid, "iat": now, "exp": now + 900}
    jws = JWS(json.dumps({**claims, "sid": uuid, "jti": uuid, "rti": uuid, "gen": 1, "ver": 0}))
    jws.allowed_algs = [alg]
    jws.add_signature(key, alg, json.dumps({"alg": alg, "kid": conf.key_ring.current.kid, "typ": "at+jwt"}))
    return jws.serialize(compact=True)


class TestReading:
    def test_what_it_signs_as_we_would_is_taken(self, key, alg):
        assert verification.verify_access(signed(key, alg)).gen == 1

    @pytest.mark.parametrize("alg", keys.ED25519, indirect=True)
    def test_an_algorithm_of_two_names_is_taken_by_either(self, key):
        assert [verification.verify_access(signed(key, name)).gen for name in keys.ED25519] == [1, 1]

    @pytest.mark.parametrize("alg", SISTERS, indirect=True)
    def test_a_key_has_one_algorithm(self, key, alg, caplog):
        caplog.set_level("INFO", logger="tokens")
        for sister in SISTERS[alg]:
            response = Client().get("/who/", HTTP_COOKIE=f"__Host-access={signed(key, sister)}")
            assert response.content == b"nobody"
        assert set(caplog.messages) == {"The algorithm is not the key's."}


class TestWriting:
    def test_both_tokens_are_read_by_what_is_published(self, key, alg, bob, signed_in):
        # An HMAC key is told to nobody: who verifies needs it from the site's own file.
        secret = key.export(as_dict=True) | {"kid": conf.key_ring.current.kid}
        published = Client().get("/jwks/").json()["keys"] or [secret]
        known = JWKSet.from_json(json.dumps({"keys": published}))
        for kind, token in jar(signed_in(bob)).items():
            claims = json.loads(JWT(jwt=token, key=known, algs=[alg], expected_type="JWS").claims)
            assert (claims["type"], claims["sub"], claims["iss"]) == (kind, str(bob.pk), conf.issuer)
