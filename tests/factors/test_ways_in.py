"""Ways in that are not the site's own: whoever has a factor has to show it there as well."""

import re

import pyotp
import pytest
from django.conf import settings as configured
from django.contrib.auth.tokens import default_token_generator
from django.db import connections
from django.urls import reverse
from django.utils.http import urlsafe_base64_encode

from accounts.models import Attempt
from tokens.models import RefreshToken
from tokens.testing import Client

SECOND_FACTOR = reverse("second_factor")


def send(client, **fields):
    """Open the page that asks for the second factor, and send its form as a browser would."""
    page = client.get(SECOND_FACTOR)
    assert page.status_code == 200
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.content.decode())[1]
    return client.post(SECOND_FACTOR, {"csrfmiddlewaretoken": token, **fields})


class TestRemoteUser:
    """A server in front signs Bob in, by Django's middleware, at each request of a browser without a session."""

    @pytest.fixture(params=["tokens.middleware.TokenMiddleware", "accounts.middleware.LoginRequiredMiddleware"])
    def client(self, request, settings):
        middleware = list(configured.MIDDLEWARE)
        middleware.insert(middleware.index(request.param) + 1, "django.contrib.auth.middleware.RemoteUserMiddleware")
        settings.MIDDLEWARE = middleware
        remote = "django.contrib.auth.backends.RemoteUserBackend"
        settings.AUTHENTICATION_BACKENDS = [remote, *configured.AUTHENTICATION_BACKENDS]
        return Client(enforce_csrf_checks=True, REMOTE_USER="bob")

    def test_leads_to_the_second_factor_and_goes_on_after_it(self, bob, secret, client):
        response = client.get(reverse("profile"))
        assert (response.status_code, response.url) == (303, SECOND_FACTOR)
        assert "You have 4 tries left" in send(client, code="000000").content.decode()
        response = client.get(send(client, code=pyotp.TOTP(secret).now()).url, follow=True)
        assert response.request["PATH_INFO"] == reverse("profile")
        assert client.get(reverse("profile")).context["user"] == bob
        assert RefreshToken.objects.get().amr == "otp mfa" and not Attempt.objects.filter(spent_at=None).exists()

    def test_begins_again_once_the_attempt_is_over(self, secret, client):
        client.get(reverse("profile"))
        Attempt.objects.all().delete()
        assert (response := client.get(SECOND_FACTOR)).status_code == 303 and response.url == SECOND_FACTOR
        send(client, code=pyotp.TOTP(secret).now())
        assert client.get(reverse("profile")).status_code == 200


def test_a_reset_that_signs_in_leads_to_the_second_factor_with_the_new_password(bob, secret, settings):
    settings.ROOT_URLCONF = "tests.factors.urls"
    client = Client()
    link = [urlsafe_base64_encode(str(bob.pk).encode()), default_token_generator.make_token(bob)]
    form = client.get("/reset/{}/{}/".format(*link)).url
    password = "another horse battery"
    response = client.post(form, {"new_password1": password, "new_password2": password})
    assert (response.status_code, response.url) == (303, SECOND_FACTOR)
    assert not RefreshToken.objects.exists()
    assert send(client, code=pyotp.TOTP(secret).now()).url == reverse("profile")
    assert client.get(reverse("profile")).status_code == 200


def test_a_view_that_fails_as_it_finds_nobody_signed_in_leads_to_the_second_factor(secret, settings):
    """As allauth's does, by an assertion."""
    settings.ROOT_URLCONF = "tests.factors.urls"
    client = Client()
    assert client.get("/log-in-and-miss-the-user/").url == SECOND_FACTOR
    send(client, code=pyotp.TOTP(secret).now())
    assert client.get(reverse("profile")).status_code == 200


@pytest.mark.django_db(transaction=True)
class TestAtomicRequests:
    """A view's transaction is rolled back by an error, and what holds the sign-in is stored outside of it."""

    @pytest.fixture(autouse=True)
    def atomic_requests(self, monkeypatch, settings):
        settings.ROOT_URLCONF = "tests.factors.urls"
        monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)

    def test_a_page_that_was_not_found_leads_to_the_second_factor_as_it_would_sign_in(self, bob, secret):
        client = Client()
        response = client.get("/log-in-and-not-find/")
        assert (response.status_code, response.url) == (303, SECOND_FACTOR)
        assert Attempt.objects.get().user == bob and not RefreshToken.objects.exists()
        send(client, code=pyotp.TOTP(secret).now())
        assert client.get(reverse("profile")).status_code == 200

    def test_an_error_of_the_server_holds_nobody(self, secret):
        client = Client(raise_request_exception=False)
        assert client.get("/log-in-and-fail/").status_code == 500
        assert not Attempt.objects.exists() and not RefreshToken.objects.exists()

    def test_somebody_who_was_signed_in_here_before_is_signed_out(self, alice, secret, sign_in):
        client = Client()
        sign_in(client, alice)
        client.get("/log-in-and-not-find/")
        assert not RefreshToken.objects.live().exists()

    def test_tries_are_counted_and_an_attempt_is_spent_once(self, secret):
        client = Client()
        client.get("/log-in-bob/")
        for left in (4, 3, 2, 1):
            assert f"You have {left} tr" in send(client, code="000000").content.decode()
        copy = Client()
        copy.cookies["__Host-attempt"] = client.cookies["__Host-attempt"].value
        code = pyotp.TOTP(secret).now()
        assert send(client, code=code).status_code == 302
        assert copy.post(SECOND_FACTOR, {"code": code}).url == reverse("login")
