"""Ways round the second factor by what was prepared before, or comes back later."""

from dataclasses import replace

import pyotp
import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from accounts.factors import totp
from accounts.models import Authenticator
from accounts.security import throttle
from accounts.security.rate_limit import Rate
from tests.conftest import PASSWORD
from tokens.testing import Client

SECOND_FACTOR = reverse("second_factor")


@pytest.fixture
def clock():
    """It stands still in the middle of a step until the test shifts it."""
    with time_machine.travel(timezone.now().replace(second=15, microsecond=0), tick=False) as clock:
        yield clock


@pytest.fixture
def add_app(bob):
    """`add_app()`: what Bob's app and we know from now on."""

    def add_app():
        secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
        Authenticator.objects.create(user=bob, secret=totp.encrypt(secret))
        return secret

    return add_app


def give_password(client):
    return client.post(reverse("login"), {"username": "bob", "password": PASSWORD})


class TestBrowsersFromBefore:
    """Who knows the password signs in from many browsers, each of which the account then knows; Bob adds an app."""

    @pytest.fixture(autouse=True)
    def few(self, monkeypatch):
        rates = {"visitor_and_account": Rate(2, 60, 60, 600), "account": Rate(4, 60, 60, 600)}
        monkeypatch.setattr(throttle, "SECOND_FACTOR", replace(throttle.SECOND_FACTOR, **rates))

    def guess(self, browser):
        """What two wrong codes get."""
        give_password(browser)
        return [browser.post(SECOND_FACTOR, {"code": code}).status_code for code in ("000000", "111111")]

    def test_have_no_guesses_of_their_own(self, bob, sign_in, add_app):
        browsers = [Client(REMOTE_ADDR=f"192.0.2.{number}") for number in range(4)]
        for browser in browsers:
            sign_in(browser, bob)
        add_app()
        assert [self.guess(browser) for browser in browsers] == [[200, 200]] * 2 + [[429, 429]] * 2

    def test_nor_keep_its_owner_from_codes_where_one_was_shown(self, add_app, clock):
        secret, here = add_app(), Client()
        give_password(here)
        assert here.post(SECOND_FACTOR, {"code": pyotp.TOTP(secret).now()}).status_code == 302
        for number in range(3):
            self.guess(Client(REMOTE_ADDR=f"192.0.2.{number}"))
        clock.shift(30)
        give_password(here)
        assert here.post(SECOND_FACTOR, {"code": pyotp.TOTP(secret).now()}).status_code == 302
