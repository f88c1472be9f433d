"""A browser in which somebody has signed in before."""

import pytest
from django.core import signing
from django.http import HttpResponse
from django.test import RequestFactory

from accounts import browsers
from accounts.models import User
from tests.conftest import PASSWORD
from tokens.testing import Client

pytestmark = pytest.mark.django_db

NAME = "__Host-device"
NEW = "an entirely new one"


@pytest.fixture
def signed_in(client, bob, sign_in):
    sign_in(client, bob)
    return client


def request_of(client):
    """What the site sees of this browser."""
    request = RequestFactory().get("/")
    request.COOKIES = {name: morsel.value for name, morsel in client.cookies.items()}
    return request


def knows(client, user):
    return browsers.knows(request_of(client), User.objects.get(pk=user.pk))


class TestTheCookie:
    def test_a_sign_in_leaves_it_bound_to_the_host_and_out_of_reach_of_scripts(self, signed_in):
        cookie = signed_in.cookies[NAME]

        assert (cookie["path"], cookie["domain"], cookie["samesite"]) == ("/", "", "Lax")
        assert cookie["secure"] and cookie["httponly"]
        assert cookie["max-age"] == 400 * 24 * 60 * 60

    def test_nothing_else_does(self, client, bob):
        client.get("/accounts/login/")
        client.post("/accounts/login/", {"username": "bob", "password": "wrong"})
        client.post("/accounts/password/reset/", {"email": "bob@example.org"})

        assert NAME not in client.cookies

    def test_it_says_nothing_about_anybody(self, signed_in, bob):
        name, marks = signing.loads(signed_in.cookies[NAME].value, salt=browsers.SALT)

        assert len(name) == 22
        assert [len(mark) for mark in marks] == [32]
        for told in (bob.username, bob.email, bob.password, bob.get_session_auth_hash()):
            assert told not in f"{name} {marks}"

    def test_two_browsers_of_somebody_have_nothing_in_common(self, signed_in, bob, sign_in):
        other = Client()
        sign_in(other, bob)

        here, there = browsers.of(request_of(signed_in)), browsers.of(request_of(other))
        assert here.id != there.id
        assert not set(here.marks) & set(there.marks)

    def test_it_outlives_signing_out(self, signed_in, bob):
        signed_in.post("/accounts/logout/")

        assert knows(signed_in, bob)


class TestKnows:
    def test_whoever_signed_in_and_nobody_else(self, signed_in, bob, alice):
        assert knows(signed_in, bob)
        assert not knows(signed_in, alice)
        assert not knows(Client(), bob)

    def test_not_even_somebody_with_the_same_hash(self, signed_in, bob, alice):
        User.objects.filter(pk=alice.pk).update(password=User.objects.get(pk=bob.pk).password)
        assert not knows(signed_in, alice)

    def test_several_people_of_one_browser(self, signed_in, bob, alice, sign_in):
        name = browsers.of(request_of(signed_in)).id
        sign_in(signed_in, alice)

        assert knows(signed_in, bob)
        assert knows(signed_in, alice)
        assert browsers.of(request_of(signed_in)).id == name

    def test_five_at_most_and_the_one_of_longest_ago_goes(self, client, sign_in):
        people = [User.objects.create_user(f"user{n}", f"user{n}@example.org", PASSWORD) for n in range(6)]
        for person in [*people[:5], people[0], people[5]]:
            sign_in(client, person)

        assert [knows(client, person) for person in people] == [True, False, True, True, True, True]
        assert len(client.cookies[NAME].value) < 500

    def test_not_after_the_password_was_changed_elsewhere(self, signed_in, bob):
        bob.set_password(NEW)
        bob.save()

        assert not knows(signed_in, bob)

    def test_but_here_where_it_was_changed(self, signed_in, bob):
        fields = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
        assert signed_in.post("/accounts/password/change/", fields).status_code == 302

        assert knows(signed_in, bob)

    def test_still_under_a_new_secret_key_while_the_old_one_is_a_fallback(self, signed_in, bob, settings, sign_in):
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "y" * 50, [settings.SECRET_KEY]
        assert knows(signed_in, bob)
        sign_in(signed_in, bob)
        assert len(browsers.of(request_of(signed_in)).marks) == 1

        settings.SECRET_KEY_FALLBACKS = []
        assert knows(signed_in, bob)

    @pytest.mark.parametrize(
        "value",
        ["", "nonsense", "a:b:c", "x" * 4000, signing.dumps(["id", []], salt="another"), signing.dumps("id")],
    )
    def test_what_is_not_ours_is_no_browser(self, client, bob, sign_in, value):
        client.cookies[NAME] = value
        assert browsers.of(request_of(client)) is None
        sign_in(client, bob)
        assert knows(client, bob)

    def test_one_of_more_than_400_days_is_none(self, signed_in, bob, monkeypatch):
        monkeypatch.setattr(browsers, "LIFETIME", -1)

        assert not knows(signed_in, bob)


class TestRemember:
    def test_without_tls_the_cookie_has_neither_prefix_nor_secure(self, bob, settings):
        settings.COOKIES_SECURE, settings.DEVICE_COOKIE_NAME = False, "device"
        response = HttpResponse()
        browsers.remember(RequestFactory().get("/"), response, bob)

        assert not response.cookies["device"]["secure"]

    def test_a_hash_that_is_made_anew_at_the_sign_in_is_the_one_that_counts(self, client, sign_in, settings, bob):
        """The first hasher of the settings has changed since: the password is the same, and its hash is not."""
        settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS]
        sign_in(client, bob)

        assert User.objects.get().password.startswith("md5$")
        assert knows(client, bob)
