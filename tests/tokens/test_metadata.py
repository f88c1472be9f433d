"""What a neighbour finds who knows the issuer alone, in the way in which their libraries look for it."""

import json

import jwt
import pytest
from django.test import Client as Anybody

from tests.tokens.clock import jar
from tokens.conf import conf
from tokens.core import keyfile
from tokens.core import keys as signing_keys

pytestmark = pytest.mark.urls("tests.tokens.urls")

URL = "/.well-known/openid-configuration"
ALGORITHMS = "access_token_signing_alg_values_supported"


@pytest.fixture
def keys(settings, tmp_path):
    """`keys(alg, ...)`: the site's keys are now these, the first of which signs."""

    def keys(first, *others):
        path = tmp_path / "-".join((first, *others))
        made = [
            signing_keys.generate_jwk(first),
            *(signing_keys.generate_jwk(alg, signing_keys.PREVIOUS) for alg in others),
        ]
        keyfile.write(path, {"keys": made})
        settings.TOKENS_KEYS = str(path)

    return keys


def read(**headers):
    return Anybody().get(URL, headers=headers)


class TestMetadata:
    def test_leads_from_the_issuer_to_the_key_that_verifies(self, keys, bob, signed_in):
        keys("ES256")
        token = jar(signed_in(bob))["access"]
        told = read().json()
        issuer, path = told["issuer"], told["jwks_uri"].removeprefix(told["issuer"])
        published = jwt.PyJWKSet.from_dict(Anybody().get(path).json())
        key = published[jwt.get_unverified_header(token)["kid"]]
        claims = jwt.decode(token, key.key, told[ALGORITHMS], issuer=issuer, audience=conf.audience)
        assert (claims["iss"], claims["sub"]) == (issuer, str(bob.pk))

    def test_names_what_there_is_and_nothing_else(self, keys, settings):
        settings.TOKENS_ISSUER = "https://example.org"
        keys("ES256")
        assert read().json() == {
            "issuer": "https://example.org",
            "jwks_uri": "https://example.org/jwks/",
            ALGORITHMS: ["ES256"],
        }

    def test_names_each_algorithm_of_the_keys_once(self, keys):
        keys("ES256", "EdDSA", "ES256")
        assert read().json()[ALGORITHMS] == ["ES256", "EdDSA"]

    def test_names_no_algorithm_while_no_key_is_public(self):
        assert read().json().keys() == {"issuer", "jwks_uri"}

    def test_is_for_scripts_of_any_site_and_for_caches(self):
        response = read(cookie="__Host-access=x", origin="https://elsewhere.example")
        assert response.headers["Content-Type"] == "application/json"
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.headers["Cache-Control"] == "public, max-age=300"
        assert "Vary" not in response.headers and not response.cookies
        assert read(if_none_match=response.headers["ETag"]).status_code == 304

    def test_is_only_read(self):
        assert Anybody().post(URL).status_code == 405

    @pytest.mark.urls("project.urls")
    def test_stands_where_the_issuer_is(self):
        assert read().json()["jwks_uri"] == f"{conf.issuer}/.well-known/jwks.json"

    def test_trusts_no_host_header(self, settings):
        settings.ALLOWED_HOSTS = ["*"]
        assert "evil" not in json.dumps(read(host="evil.example").json())
