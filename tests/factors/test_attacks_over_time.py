"""Ways round the second factor by what was prepared before, or comes back later."""

from dataclasses import replace
from datetime import timedelta

import pyotp
import pytest
from django.core import mail
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from accounts.factors import totp
from accounts.models import Authenticator, FactorRemoval, OutgoingMail, Passkey, RecoveryCode, SecurityEvent, User
from accounts.models.factors import REMOVAL_DELAY
from accounts.security import limits
from accounts.security.rate_limit import Rate
from tests.conftest import PASSWORD
from tests.factors.conftest import SECOND_FACTOR, give_password
from tokens.models import RefreshToken, locks
from tokens.testing import Client

Kind = SecurityEvent.Kind
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # what Bob's app and we know


@pytest.fixture
def add_app(bob):
    """`add_app()`: Bob has an app from now on."""
    return lambda: Authenticator.objects.create(user=bob, secret=totp.encrypt(SECRET))


@pytest.fixture
def owner(add_app, clock):
    """A browser in which Bob has signed in with his app."""
    add_app()
    give_password(client := Client())
    assert client.post(SECOND_FACTOR, {"code": pyotp.TOTP(SECRET).now()}).status_code == 302
    return client


class TestBrowsersFromBefore:
    """Who knows the password signs in from many browsers, each of which the account then knows; Bob adds an app."""

    @pytest.fixture(autouse=True)
    def few(self, monkeypatch):
        rates = {"visitor_and_account": Rate(2, 60, 60, 600), "account": Rate(4, 60, 60, 600)}
        monkeypatch.setattr(limits, "SECOND_FACTOR", replace(limits.SECOND_FACTOR, **rates))

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

    def test_nor_keep_its_owner_from_codes_where_one_was_shown(self, owner, clock):
        for number in range(3):
            self.guess(Client(REMOTE_ADDR=f"192.0.2.{number}"))
        clock.shift(30)
        give_password(owner)
        assert owner.post(SECOND_FACTOR, {"code": pyotp.TOTP(SECRET).now()}).status_code == 302


def test_who_has_the_password_and_guesses_codes_is_told_by_mail_once_a_day(bob, add_app, clock):
    """However slowly, a few in each attempt."""
    add_app()
    told = []
    for _day in range(2):
        for _ in range(3):
            give_password(client := Client())
            for code in ("000000", "111111", "222222"):
                assert client.post(SECOND_FACTOR, {"code": code}).status_code == 200
            told.append(OutgoingMail.objects.filter(kind="second_factor_failed", user=bob).count())
            clock.shift(timedelta(hours=2))
        clock.shift(timedelta(days=1))
        cache.clear()  # its clock is not ours
    assert told == [0, 1, 1, 1, 2, 2]


class TestFactorsThatChangeWhileTheirRemovalWaits:
    """A thief has started it; Bob, who does not object, would lose what he has added since."""

    @pytest.fixture(autouse=True)
    def started(self, bob, owner):
        FactorRemoval.objects.create(user=bob, due_at=timezone.now() + REMOVAL_DELAY)
        User.objects.filter(pk=bob.pk).update(factors_leaving=True)

    def assert_cancelled(self, bob):
        assert not FactorRemoval.objects.exists()
        assert SecurityEvent.objects.filter(user=bob, kind=Kind.FACTOR_REMOVAL_CANCELLED).exists()
        bob.refresh_from_db()
        assert not bob.factors_leaving

    def test_a_new_one_cancels_it(self, bob, owner, enrol):
        enrol(owner)
        self.assert_cancelled(bob)

    def test_so_does_the_end_of_the_last(self, bob, owner):
        owner.post(reverse("authenticator_remove"))
        self.assert_cancelled(bob)


class TestSessionThatEndsMeanwhile:
    """A thief's request was let in; before it has the lock, Bob signs everybody out."""

    @pytest.fixture
    def late(self, monkeypatch):
        """`late()`: the next request that locks a user comes too late."""
        locking = locks.lock_for_update

        def lock(*args, **stamp):
            monkeypatch.setattr(locks, "lock_for_update", locking)
            RefreshToken.objects.all().revoke(RefreshToken.Reason.ENDED)
            return locking(*args, **stamp)

        return lambda: monkeypatch.setattr(locks, "lock_for_update", lock)

    def test_adds_no_app(self, bob, sign_in, client, late):
        sign_in(client, bob)
        form = {"secret": totp.encrypt(SECRET, until_confirmed_by=bob), "code": pyotp.TOTP(SECRET).now()}
        late()
        assert client.post(reverse("authenticator"), form).status_code == 303
        assert not Authenticator.objects.exists()

    def test_adds_and_removes_no_passkey(self, bob, sign_in, client, enrol, late):
        sign_in(client, bob)
        late()
        assert enrol(client).status_code == 303
        assert not Passkey.objects.exists()
        sign_in(client, bob)
        enrol(client)
        late()
        assert client.post(reverse("passkey_remove", args=[Passkey.objects.get().pk])).status_code == 303
        assert Passkey.objects.exists()

    @pytest.mark.parametrize("page", ["recovery_codes", "authenticator_remove"])
    def test_learns_no_codes_and_removes_no_app(self, owner, late, page):
        late()
        assert owner.post(reverse(page)).status_code == 303
        assert Authenticator.objects.exists() and not RecoveryCode.objects.exists()


def test_a_code_of_the_app_that_is_just_replaced_is_of_no_use(bob, add_app, clock, monkeypatch):
    add_app()
    other = totp.encrypt(totp.new_secret())
    comparing = totp.matching_counter

    def compare(*args):
        Authenticator.objects.update(secret=other)
        return comparing(*args)

    monkeypatch.setattr(totp, "matching_counter", compare)
    assert not totp.spend(bob, pyotp.TOTP(SECRET).now())


def test_an_app_gets_no_tokens_whose_user_has_to_have_a_factor_that_is_due_to_go(bob, add_app, settings, client):
    settings.REQUIRE_SECOND_FACTOR_FOR = ["staff"]
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    add_app()
    FactorRemoval.objects.create(user=bob, due_at=timezone.now())
    answer = client.post("/api/auth/login", {"username": "bob", "password": PASSWORD}, content_type="application/json")
    assert answer.json()["title"] == "second_factor_missing"
    assert not RefreshToken.objects.exists()


def test_a_removal_that_the_old_password_has_started_ends_with_it(bob, owner, committing):
    FactorRemoval.objects.create(user=bob, due_at=timezone.now() + REMOVAL_DELAY)
    new = "another horse battery"
    fields = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    with committing():
        page = owner.post(reverse("password_change"), fields, follow=True).content.decode()
    said = "We cancelled the removal of your second step."
    assert said in page and said in mail.outbox[-1].body
    assert not FactorRemoval.objects.exists()
    assert SecurityEvent.objects.filter(user=bob, kind=Kind.FACTOR_REMOVAL_CANCELLED).exists()
