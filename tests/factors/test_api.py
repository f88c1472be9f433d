"""An app that signs in somebody with a second factor gets no tokens before the code."""

import json
from importlib.resources import files

import jsonschema_rs
import pytest

from accounts.factors import recovery_codes
from accounts.models import SecurityEvent, User
from tests.accounts.test_api import App, challenge
from tests.conftest import PASSWORD
from tests.factors.conftest import SECOND_FACTOR, give_password
from tokens.models import RefreshToken
from tokens.testing import Client
from tokens.verification import verify_access

DOCUMENT = json.loads(files("accounts.api").joinpath("openapi.json").read_text())


def is_as_documented(response, name):
    schema = DOCUMENT["components"]["responses"][name]["content"]["application/problem+json"]["schema"]
    jsonschema_rs.Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(response.json())


class Asked(App):
    """An app whose user has given their password, and is asked for a code."""

    def sign_in(self, name="bob", password=PASSWORD):
        response = super().sign_in(name, password)
        self.attempt = response.json().get("attempt", "")
        return response

    def give(self, code, attempt=""):
        body = {"attempt": attempt or self.attempt, "code": code}
        return self._keep(self.call("POST", "auth/second-factor", body=body))


@pytest.fixture
def asked(secret):
    app = Asked()
    app.sign_in()
    return app


def told(response):
    challenge(response)
    return response.status_code, response.json()["title"]


class TestLogin:
    def test_gives_an_attempt_and_no_tokens(self, bob, secret):
        response = Asked().sign_in()
        assert told(response) == (401, "second_factor_required")
        assert response.json()["methods"] == ["otp"] and response.json()["expires_in"] == 300
        is_as_documented(response, "WrongPassword")
        assert not RefreshToken.objects.exists()

    def test_says_what_the_user_has(self, bob, secret):
        recovery_codes.renew(bob)
        assert Asked().sign_in().json()["methods"] == ["otp", "recovery_code"]

    def test_tells_nobody_who_does_not_know_the_password(self, secret):
        assert told(Asked().sign_in("bob", "wrong")) == (401, "unauthorized")


class TestSecondFactor:
    def test_gives_a_pair_that_says_how(self, asked, now):
        assert asked.give(now()).status_code == 200
        assert asked.get("me").json()["username"] == "bob"
        row = RefreshToken.objects.get()
        assert (row.amr, row.method, row.is_app) == ("pwd otp mfa", RefreshToken.Method.API, True)
        assert verify_access(asked.access).amr == ("pwd", "otp", "mfa")

    def test_takes_a_recovery_code_once(self, bob, asked):
        code, *_ = recovery_codes.renew(bob)
        assert asked.give(code).status_code == 200
        asked.sign_in()
        assert told(asked.give(code)) == (401, "wrong_code")

    def test_an_attempt_is_good_for_five_tries(self, asked, now):
        wrong = [code for code in map("{:06}".format, range(9)) if code not in {now(-1), now(), now(1)}][:5]
        answers = [asked.give(code) for code in wrong]
        assert [answer.json()["tries_left"] for answer in answers] == [4, 3, 2, 1, 0]
        is_as_documented(answers[0], "WrongCode")
        assert told(asked.give(now())) == (401, "attempt_over")
        assert SecurityEvent.objects.filter(kind=SecurityEvent.Kind.SECOND_FACTOR_FAILED).count() == 5

    def test_what_cannot_be_a_code_costs_none(self, asked, now):
        for nonsense in ("", "12345", "é" * 100, "1" * 5000):
            assert asked.give(nonsense).json()["tries_left"] == 5
        assert asked.give(now()).status_code == 200

    def test_works_once_and_for_five_minutes(self, asked, now, clock):
        assert asked.give(now()).status_code == 200
        clock.shift(30)
        assert told(asked.give(now())) == (401, "attempt_over")
        asked.sign_in()
        clock.shift(5 * 60)
        assert told(asked.give(now())) == (401, "attempt_over")

    def test_neither_a_browsers_attempt_nor_that_of_an_app_in_a_browser(self, asked, now):
        client = Client()
        give_password(client)
        assert told(asked.give(now(), client.cookies["__Host-attempt"].value)) == (401, "attempt_over")
        client.cookies["__Host-attempt"] = asked.attempt
        assert client.post(SECOND_FACTOR, {"code": now()}).url == "/accounts/login/"

    def test_whoever_may_not_sign_in_any_more_does_not(self, bob, asked, now):
        User.objects.filter(pk=bob.pk).update(is_active=False)
        assert told(asked.give(now())) == (401, "attempt_over")
        assert not RefreshToken.objects.exists()

    def test_is_limited_by_a_bucket_of_its_own(self, bob, asked, now):
        """Wrong codes of many attempts are counted together, and keep nobody from giving the password."""
        wrong = next(code for code in map("{:06}".format, range(9)) if code not in {now(-1), now(), now(1)})
        statuses = []
        for _ in range(3):
            asked.sign_in()
            statuses += [asked.give(wrong).status_code for _ in range(4)]
        assert statuses == [401] * 10 + [429] * 2
        assert told(asked.sign_in()) == (401, "second_factor_required")

    def test_an_app_that_signs_out_everywhere_has_browsers_be_asked_again(self, bob, asked, now):
        client = Client()
        give_password(client)
        client.post(SECOND_FACTOR, {"code": now(-1), "trust": "on"})
        asked.give(now())
        assert asked.call("POST", "auth/logout-everywhere", asked.access).json() == {"ended": 2}
        assert give_password(client).status_code == 303
