"""The same password hashed anew ends no session; another password still ends them all."""

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password

from tests.conftest import PASSWORD
from tests.tokens.racing import together
from tokens import password_upgrades
from tokens.models import RefreshToken

IMPORTED = "django.contrib.auth.hashers.PBKDF2PasswordHasher"

pytestmark = [pytest.mark.urls("tests.tokens.urls"), pytest.mark.django_db(transaction=True)]


@pytest.fixture
def before(settings, bob, signed_in):
    """Bob's browser, signed in while the site kept hashes that are out of date by now."""
    hashers = settings.PASSWORD_HASHERS
    settings.PASSWORD_HASHERS = [IMPORTED, *hashers]
    bob.set_password(PASSWORD)
    bob.save()
    browser = signed_in(bob)
    settings.PASSWORD_HASHERS = hashers
    return browser


def fetched(user):
    return get_user_model().objects.get(pk=user.pk)


def test_a_sign_in_elsewhere_upgrades_the_hash_and_ends_nothing(before, bob, signed_in, name_on):
    there = signed_in(bob)
    assert fetched(bob).password.startswith("argon2")
    assert (name_on(before, "/guarded/"), name_on(there, "/guarded/")) == ("bob", "bob")


def test_an_async_check_upgrades_as_well(before, bob, name_on):
    assert async_to_sync(fetched(bob).acheck_password)(PASSWORD)
    assert fetched(bob).password.startswith("argon2")
    assert name_on(before, "/guarded/") == "bob"


def test_a_wrong_password_upgrades_nothing(before, bob, name_on):
    assert not fetched(bob).check_password("another one entirely")
    assert fetched(bob).password.startswith("pbkdf2")
    assert name_on(before, "/guarded/") == "bob"


def test_of_two_sign_ins_at_once_both_stay(before, bob, signed_in, name_on):
    browsers = together([lambda: signed_in(bob)] * 2)
    assert [name_on(browser, "/guarded/") for browser in (before, *browsers)] == ["bob"] * 3


def test_a_check_of_the_models_own_is_watched_too(before, bob, name_on, monkeypatch):
    def check_password(self, raw_password):
        self.password = make_password(raw_password)
        self.save(update_fields=["password"])
        return True

    monkeypatch.setattr(type(bob), "check_password", check_password)
    password_upgrades.watch(type(bob))
    assert fetched(bob).check_password(PASSWORD)
    assert name_on(before, "/guarded/") == "bob"


@pytest.mark.parametrize("new", [PASSWORD, "another one entirely"], ids=["the same", "another"])
def test_a_hash_that_nobody_checked_is_another_password(before, bob, name_on, new):
    user = fetched(bob)
    user.password = make_password(new)
    user.save(update_fields=["password"])
    assert name_on(before, "/guarded/") == "nobody"
    assert not RefreshToken.objects.live().exists()
