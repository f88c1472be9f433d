"""Sign-ins by a provider under attack: odd answers, strangers, and others who act at the same time."""

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.urls import reverse

from accounts.models import Identity, ProviderFlow
from tests.providers.conftest import CALLBACK
from tests.providers.issuer import KEY
from tokens.testing import Client

pytestmark = pytest.mark.django_db

LONG_EMAIL = "x@" + ".".join([60 * "a"] * 5)
Algorithm = jwt.algorithms.RSAAlgorithm


class TestOddAnswers:
    """None fails, so that a provider makes no error of ours."""

    @pytest.mark.parametrize(
        "claims",
        [
            *({name: value} for name in ("exp", "iat", "nbf") for value in (float("inf"), float("nan"), 10**400, [])),
            *({name: "\ud800"} for name in ("nonce", "sub", "at_hash", "azp", "email")),
            *({"email": email} for email in (["x@y.example"], LONG_EMAIL)),
            *({"email": email} for email in ("\u212a@x.example", '"\x01"@x.example', "=?utf-8?q?=41?=@x.example")),
        ],
    )
    def test_claims(self, client, issuer, sign_in_with, claims):
        issuer.claims |= claims
        assert sign_in_with(client).headers["Location"] in (reverse("login"), "/")
        if "exp" not in claims:
            assert not Identity.objects.exists()

    @pytest.mark.parametrize(
        "changed",
        [
            json.loads(Algorithm.to_jwk(KEY)),  # with its private part
            {"kty": "oct", "k": "eA"},
            {"kty": ["RSA"]},
            {"n": 1},
            {"n": "\ud800"},
            {"n": "_" + "A" * 40_001},
            {"e": "AQ"},
        ],
    )
    def test_keys(self, client, issuer, sign_in_with, changed):
        issuer.pages["/keys"] = {"keys": [{**issuer.answer("/keys", {})["keys"][0], **changed}]}
        assert sign_in_with(client).headers["Location"] == reverse("login")

    def test_a_short_key_signs_nothing(self, client, issuer, sign_in_with):
        short = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
        issuer.sign = {"key": short, "algorithm": "RS256"}
        issuer.pages["/keys"] = {"keys": [{**json.loads(Algorithm.to_jwk(short.public_key())), "kid": "one"}]}
        assert sign_in_with(client).headers["Location"] == reverse("login")


class TestStrangers:
    """What anybody can send."""

    def test_a_page_to_come_back_to_holds_no_nul(self, client, issuer, sign_in_with):
        assert sign_in_with(client, next="/a\0b").headers["Location"] == "/"

    @pytest.mark.parametrize(
        "odd", [{"code": "x\0"}, {"state": "\0"}, {"code": ["x", "y"]}, {"iss": ["x", "x"]}, {"code": "x" * 4097}]
    )
    def test_a_malformed_answer_is_none(self, client, issuer, settings, leave, odd):
        settings.PROVIDERS[0]["response_mode"] = "form_post"
        leave(client)
        answer: dict[str, Any] = {"code": "x", "state": ProviderFlow.objects.get().pk, **odd}
        assert Client().post(CALLBACK, answer).status_code == 303
        assert ProviderFlow.objects.get().answer is None
