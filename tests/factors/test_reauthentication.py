"""Whoever has a second factor confirms by it that it's them; the password alone is not enough."""

import pytest
from django.urls import reverse

from accounts.models import SecurityEvent, User
from tests.accounts.reauthenticating import expire_reauthentication
from tests.conftest import PASSWORD
from tests.factors.conftest import SECOND_FACTOR, give_password
from tokens.models import RefreshToken, admission
from tokens.testing import Client

USERNAME, CHANGE = reverse("username_change"), reverse("password_change")
NEW = "another horse battery"


@pytest.fixture
def bobs(bob, secret, now, clock):
    """Bob's browser, ten minutes after he signed in by both factors."""
    client = Client()
    give_password(client)
    client.post(SECOND_FACTOR, {"code": now()})
    expire_reauthentication()
    clock.shift(60)
    return client


class TestTheForm:
    def test_asks_for_the_code_and_sends_what_was_typed(self, bobs, now, bob):
        page = bobs.post(USERNAME, {"username": "robert"}).content.decode()
        assert 'name="proof-code"' in page and 'name="proof-password"' not in page
        assert bobs.post(USERNAME, {"username": "robert", "proof-code": now()}).status_code == 302
        bob.refresh_from_db()
        assert bob.username == "robert"
        assert SecurityEvent.objects.filter(kind="reauthenticated", user=bob).count() == 1

    def test_takes_no_password_and_no_code_that_was_used(self, bobs, now, bob, clock):
        assert bobs.post(USERNAME, {"username": "robert", "proof-password": PASSWORD}).status_code == 200
        bobs.post(USERNAME, {"username": "bob", "proof-code": now()})
        expire_reauthentication()
        assert bobs.post(USERNAME, {"username": "robert", "proof-code": now()}).status_code == 200
        assert User.objects.get(pk=bob.pk).username == "bob"

    def test_counts_wrong_codes_but_not_what_is_none(self, bobs, now):
        for _ in range(12):
            bobs.post(USERNAME, {"username": "robert", "proof-code": "12"})
        wrong = next(code for code in map("{:06}".format, range(9)) if code not in {now(-1), now(), now(1)})
        statuses = [bobs.post(USERNAME, {"username": "robert", "proof-code": wrong}).status_code for _ in range(11)]
        assert statuses == [200] * 10 + [429]

    def test_without_a_password_and_without_a_factor_one_signs_in_again(self, bob, sign_in):
        client = Client()
        sign_in(client, bob)
        expire_reauthentication()
        bob.set_unusable_password()
        User.objects.filter(pk=bob.pk).update(password=bob.password)
        RefreshToken.objects.update(auth_hash=admission.auth_hash(bob))
        for proof in ({}, {"proof-password": ""}, {"proof-password": PASSWORD}, {"proof-code": "123456"}):
            page = client.post(USERNAME, {"username": "robert", **proof}).content.decode()
            assert "sign out and sign in again" in page
        assert User.objects.get(pk=bob.pk).username == "bob"

    def test_the_same_factor_twice_is_no_second_one(self, bob, sign_in):
        client = Client()
        sign_in(client, bob)
        expire_reauthentication()
        assert client.post(USERNAME, {"username": "robert", "proof-password": PASSWORD}).status_code == 302
        assert RefreshToken.objects.get().amr == "pwd"


class TestPasswordChange:
    def test_first_asks_for_the_code_even_to_be_looked_at(self, bobs, now):
        assert 'name="proof-code"' in bobs.get(CHANGE).content.decode()
        form = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
        assert 'name="proof-code"' in bobs.post(CHANGE, form).content.decode()
        assert bobs.post(CHANGE, {"proof-code": now()}).url == CHANGE
        assert bobs.post(CHANGE, form).status_code == 302

    def test_keeps_how_the_session_was_opened(self, bobs, now):
        bobs.post(CHANGE, {"proof-code": now()})
        bobs.post(CHANGE, {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW})
        assert RefreshToken.objects.live().get().amr == "pwd otp mfa"


def test_a_sign_in_in_a_trusted_browser_confirms_nothing(bob, secret, now, clock):
    client = Client()
    give_password(client)
    client.post(SECOND_FACTOR, {"code": now(), "trust": "on"})
    clock.shift(60)
    assert give_password(client).status_code == 302
    assert 'name="proof-code"' in client.post(USERNAME, {"username": "robert"}).content.decode()
    assert client.post(USERNAME, {"username": "robert", "proof-code": now()}).status_code == 302
