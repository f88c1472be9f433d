"""The email of a confirmed account: its owner signs in once by their own means, and has the provider from then on."""

import re
from datetime import timedelta
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from accounts.mails import worker
from accounts.models import Identity, ProviderFlow, SecurityEvent, User
from accounts.models.factors import TrustedBrowser, digest
from accounts.providers import client as provider_client
from tests.conftest import PASSWORD
from tests.factors.conftest import options
from tests.providers.conftest import CALLBACK
from tokens.models import RefreshToken
from tokens.testing import Client

pytestmark = pytest.mark.django_db

LOGIN, PROFILE, SECOND_FACTOR = reverse("login"), reverse("profile"), reverse("second_factor")
COOKIE = "__Host-provider"
SENTENCE = "Sign in to it once, and you can use Acme from then on."


@pytest.fixture(autouse=True)
def _confirmed(bob):
    User.objects.filter(pk=bob.pk).update(email_verified_at=timezone.now())
    bob.refresh_from_db()


@pytest.fixture
def offered(client, bob, issuer, sign_in_with):
    """Bob's browser, back from Acme, which has told his email in another spelling."""
    issuer.claims |= {"email": "Bob@Example.org"}
    assert sign_in_with(client, next=PROFILE, remember="on").headers["Location"] == LOGIN
    return client


def has_acme(user) -> bool:
    return Identity.objects.filter(user=user, provider="acme").exists()


class TestOwner:
    def test_signs_in_once_and_has_it(self, offered, bob, sign_in, sign_in_with):
        page = offered.get(LOGIN).content.decode()
        assert SENTENCE in page and 'value="Bob@example.org"' in page and not Identity.objects.exists()
        assert sign_in(offered, bob, remember="on").headers["Location"] == PROFILE
        assert has_acme(bob) and "You can now sign in with Acme." in offered.get(PROFILE).content.decode()
        assert SecurityEvent.objects.filter(user=bob, kind="provider_added").exists()
        worker.send_due()
        assert [each.to for each in mail.outbox if each.subject == "Sign-in with another account added"] == [
            [bob.email]
        ]
        assert not ProviderFlow.objects.exists() and not offered.cookies[COOKIE].value
        browser = Client()
        assert sign_in_with(browser).headers["Location"] == "/"
        assert RefreshToken.objects.filter(user=bob, method="acme").exists()

    def test_may_mistype(self, offered, bob, sign_in):
        page = offered.post(LOGIN, {"username": "bob", "password": "is it this?"}).content.decode()
        assert SENTENCE in page
        sign_in(offered, bob)
        assert has_acme(bob)

    def test_may_use_another_provider_that_they_have(self, offered, bob, issuer, settings, leave):
        hub = {"name": "hub", "issuer": issuer.url, "client_id": "us", "client_secret": "s", "private_network": True}
        settings.PROVIDERS = [*settings.PROVIDERS, hub]
        key = Identity.key_of(issuer.url, "7")
        Identity.objects.create(key=key, user=bob, provider="hub", issuer=issuer.url, subject="7")
        issuer.claims["sub"] = "7"
        url = leave(offered, reverse("provider_login", kwargs={"name": "hub"}))
        offered.get(CALLBACK.replace("acme", "hub"), issuer.authorize(url))
        assert has_acme(bob)

    def test_shows_the_second_factor_even_in_a_browser_that_they_trust(
        self, client, bob, issuer, enrol, authenticator, sign_in, sign_in_with
    ):
        sign_in(client, bob)
        enrol(client)
        client.logout()
        about = {"password_version": User.objects.get(pk=bob.pk).password_version, "user_agent": ""}
        expires_at = timezone.now() + timedelta(days=1)
        TrustedBrowser.objects.create(key=digest("secret"), user=bob, expires_at=expires_at, **about)
        client.cookies["__Host-trust"] = "secret"
        issuer.claims["email"] = bob.email
        sign_in_with(client)
        assert client.post(LOGIN, {"username": "bob", "password": PASSWORD}).url == SECOND_FACTOR
        assert not has_acme(bob)
        client.post(SECOND_FACTOR, {"response": authenticator.get(options(client.get(SECOND_FACTOR)))})
        assert has_acme(bob)
        client.post(reverse("logout"))
        assert sign_in(client, bob).headers["Location"] == "/", "Then the browser is trusted again."


class TestNobodyElse:
    def test_who_signs_in_gets_it_and_then_it_is_gone(self, offered, alice, bob, sign_in):
        sign_in(offered, alice)
        sign_in(offered, bob)
        assert not Identity.objects.exists()

    def test_another_browser_has_nothing_of_it(self, offered, bob, sign_in):
        browser = Client()
        assert SENTENCE not in browser.get(LOGIN).content.decode()
        sign_in(browser, bob)
        assert not Identity.objects.exists()

    def test_it_is_over_after_ten_minutes(self, offered, bob, sign_in):
        ProviderFlow.objects.update(created_at=timezone.now() - timedelta(minutes=10))
        assert SENTENCE not in offered.get(LOGIN).content.decode()
        sign_in(offered, bob)
        assert not Identity.objects.exists()

    def test_an_email_that_has_changed_hands_meanwhile_is_no_claim(self, offered, bob, sign_in):
        User.objects.filter(pk=bob.pk).update(email="robert@example.org")
        sign_in(offered, bob)
        assert not Identity.objects.exists()

    def test_whoever_else_has_the_provider_account_by_then_keeps_it(self, offered, alice, bob, issuer, sign_in):
        key = Identity.key_of(issuer.url, issuer.claims["sub"])
        Identity.objects.create(key=key, user=alice, provider="acme", issuer=issuer.url, subject="x")
        assert sign_in(offered, bob).headers["Location"] == PROFILE
        assert not has_acme(bob) and "belongs to another user" in offered.get(PROFILE).content.decode()

    def test_a_user_who_is_signed_in_is_offered_nothing_of_another_account(
        self, client, alice, bob, issuer, sign_in, sign_in_with
    ):
        sign_in(client, alice)
        issuer.claims["email"] = bob.email
        assert sign_in_with(client).headers["Location"] == reverse("security")
        assert "You already have an account" in client.get(reverse("security")).content.decode()
        sign_in(client, bob)
        assert not Identity.objects.exists()

    def test_an_answer_is_spent_by_it(self, offered, issuer, bob):
        state = ProviderFlow.objects.get().state
        assert offered.get(CALLBACK, {"code": "again", "state": state}).headers["Location"] == LOGIN
        assert issuer.asked.count("/token") == 1


class TestGoingOn:
    """What a visitor wanted before they left is there when they are back, whether or not they are signed in."""

    @pytest.fixture
    def interrupted(self, client, bob, issuer, sign_in, leave, come_back):
        """Bob, who has Acme, at the sign-in page that carries his form, because his session has ended; the fields."""
        sign_in(client, bob)
        come_back(client, leave(client, reverse("provider_add", kwargs={"name": "acme"})))
        RefreshToken.objects.all().revoke(RefreshToken.Reason.ENDED)
        page = client.post(PROFILE, "first_name=Bobby", "application/x-www-form-urlencoded").content.decode()
        return fields(page)

    def test_a_form_is_carried_along(self, client, interrupted, sign_in_with):
        page = sign_in_with(client, **interrupted, remember="on")
        assert 'value="Bobby"' in page.content.decode()
        assert RefreshToken.objects.latest("created_at").remember

    def test_who_has_to_confirm_their_email_first_is_told_that_it_is_dropped(
        self, client, bob, interrupted, issuer, sign_in_with, settings
    ):
        settings.EMAIL_VERIFICATION = "mandatory"
        issuer.claims["email_verified"] = False
        User.objects.filter(pk=bob.pk).update(email_verified_at=None)
        assert sign_in_with(client, **interrupted).headers["Location"] == reverse("email_verify")
        assert "sent. If it was yours" in client.get(reverse("email_verify")).content.decode()

    def test_even_past_a_visit_that_leads_to_nothing(self, client, interrupted, leave, bob):
        state = parse_qs(urlsplit(leave(client, **interrupted, next=PROFILE, remember="on")).query)["state"][0]
        client.get(CALLBACK, {"error": "access_denied", "state": state})
        page = client.get(LOGIN).content.decode()
        left = fields(page)
        assert left["next"] == PROFILE and re.search(r'name="remember"[^>]* checked', page)
        page = client.post(LOGIN, {"username": "bob", "password": PASSWORD, **left})
        assert 'value="Bobby"' in page.content.decode()

    def test_and_past_a_provider_that_is_down(self, client, interrupted, issuer):
        issuer.pages["/.well-known/openid-configuration"] = (500, b"")
        provider_client.clear_cache()
        client.post(reverse("provider_login", kwargs={"name": "acme"}), interrupted)
        assert fields(client.get(LOGIN).content.decode())["carried_form"] == interrupted["carried_form"]

    def test_strangers_store_nothing_by_it(self, client, issuer, leave):
        leave(client, carried_form="x" * 100_000, next="/" + "x" * 100_000)
        assert {*ProviderFlow.objects.values_list("carried_form", "next")} == {("", "")}


def fields(page: str) -> dict[str, str]:
    """The hidden fields of the form for the password, which those of a provider's button are, too."""
    form = re.search(r'<form id="sign-in".*?</form>', page, re.DOTALL)[0]  # type: ignore[index]
    assert 'form="sign-in" formaction="/accounts/login/acme/"' in page
    hidden = re.findall(r'type="hidden" name="(next|carried_form)" value="([^"]*)"', form)
    return {name: unescape(value) for name, value in hidden}
