"""Add and remove a provider, and have one confirm who the user is."""

import re
from time import time

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from accounts.mails import worker
from accounts.models import Identity, SecurityEvent, User
from tests.providers.conftest import is_signed_in
from tokens.models import RefreshToken
from tokens.testing import Client

pytestmark = pytest.mark.django_db


class TestLinkAndReauthenticate:
    @pytest.fixture
    def linked(self, client, alice, issuer, sign_in, leave, come_back):
        """Alice, whose account has Acme."""
        sign_in(client, alice)
        come_back(client, leave(client, reverse("provider_add", kwargs={"name": "acme"})))
        return alice

    def test_a_user_adds_a_provider_and_signs_in_with_it(self, linked, issuer, sign_in_with):
        browser = Client()
        sign_in_with(browser)
        assert is_signed_in(browser) and Identity.objects.get().user == linked
        assert SecurityEvent.objects.get(user=linked, kind="provider_added").method == "acme"
        worker.send_due()
        assert mail.outbox[0].subject == "Sign-in with another account added"
        assert "It's an account at Acme." in mail.outbox[0].body

    def test_whose_account_it_is_already_keeps_it(self, linked, bob, issuer, sign_in, leave, come_back):
        User.objects.filter(pk=bob.pk).update(email_verified_at=bob.date_joined)
        browser = Client()
        sign_in(browser, bob)
        come_back(browser, leave(browser, reverse("provider_add", kwargs={"name": "acme"})))
        assert Identity.objects.get().user == linked
        assert "belongs to another user" in browser.get(reverse("security")).content.decode()

    def test_an_email_that_is_not_confirmed_gets_no_other_way_in(self, client, bob, issuer, sign_in):
        sign_in(client, bob)
        assert client.post(reverse("provider_add", kwargs={"name": "acme"})).status_code == 302

    def test_another_session_cannot_complete_it(self, client, alice, bob, issuer, sign_in, leave, come_back):
        sign_in(client, alice)
        url = leave(client, reverse("provider_add", kwargs={"name": "acme"}))
        sign_in(client, bob)
        come_back(client, url)
        assert not Identity.objects.exists()

    def test_the_only_way_in_stays(self, client, issuer, sign_in_with):
        sign_in_with(client)
        url = reverse("provider_remove", kwargs={"pk": Identity.objects.get().pk})
        client.post(url)
        assert Identity.objects.exists()

    def test_another_way_in_lets_it_go(self, client, linked):
        client.post(reverse("provider_remove", kwargs={"pk": Identity.objects.get().pk}))
        assert not Identity.objects.exists()
        assert SecurityEvent.objects.get(kind="provider_removed").method == "acme"

    @pytest.mark.parametrize(("age", "counts"), [(0, True), (600, False), (None, False), ("0", False)])
    def test_a_provider_confirms_only_who_has_just_signed_in_there(
        self, client, issuer, sign_in_with, leave, come_back, age, counts
    ):
        sign_in_with(client)
        RefreshToken.objects.update(authenticated_at="2020-01-01T00:00:00Z")
        page = client.post(reverse("username_change"), {"username": "caroline"}).content.decode()
        assert "Sign in with Acme" in page
        url = leave(client, reverse("provider_confirm", kwargs={"name": "acme"}), next="/accounts/username/")
        assert "prompt=login&max_age=0" in url
        issuer.claims["auth_time"] = int(time()) - age if isinstance(age, int) else age
        page = client.get(come_back(client, url).headers["Location"]).content.decode()
        assert ("ask you to sign in again" in page) is not counts
        client.post(reverse("username_change"), {"username": "caroline"})
        assert User.objects.filter(username="caroline").exists() is counts

    @pytest.mark.parametrize("provider", [{"kind": "github"}, {"issuer": "https://accounts.google.com"}])
    def test_but_none_that_never_asks_anew(self, client, issuer, settings, sign_in_with, provider):
        sign_in_with(client)
        RefreshToken.objects.update(authenticated_at="2020-01-01T00:00:00Z")
        settings.PROVIDERS[0] |= provider
        Identity.objects.update(issuer=settings.PROVIDERS[0]["issuer"])
        page = client.post(reverse("username_change"), {"username": "caroline"}).content.decode()
        assert "sign out and sign in again" in page and "Sign in with Acme" not in page
        assert client.post(reverse("provider_confirm", kwargs={"name": "acme"})).status_code == 404

    @pytest.mark.parametrize("first", ["second factor", "deletion"])
    def test_even_of_a_user_who_has_to_answer_something_first(
        self, client, issuer, settings, sign_in_with, leave, come_back, first
    ):
        sign_in_with(client)
        settings.REQUIRE_SECOND_FACTOR_FOR = ["staff"]
        due = timezone.now() if first == "deletion" else None
        User.objects.update(is_staff=first == "second factor", deletion_due_at=due)
        RefreshToken.objects.update(authenticated_at="2020-01-01T00:00:00Z")
        RefreshToken.objects.all().bump()
        issuer.claims["auth_time"] = int(time())
        come_back(client, leave(client, reverse("provider_confirm", kwargs={"name": "acme"})))
        assert RefreshToken.objects.get().authenticated_at.year != 2020

    def test_who_has_no_password_chooses_one_by_mail(self, client, issuer, sign_in_with):
        sign_in_with(client)
        assert client.get(reverse("password_change")).headers["Location"] == reverse("password_reset")

    def test_a_provider_is_known_by_its_issuer_when_names_change(self, client, issuer, settings, sign_in_with):
        sign_in_with(client)
        RefreshToken.objects.update(authenticated_at="2020-01-01T00:00:00Z")
        settings.PROVIDERS[0]["name"] = "hub"
        page = client.get(reverse("security")).content.decode()
        assert "<dt>Acme</dt>" in page and reverse("provider_add", kwargs={"name": "hub"}) not in page
        page = client.post(reverse("username_change"), {"username": "caroline"}).content.decode()
        assert reverse("provider_confirm", kwargs={"name": "hub"}) in page
        settings.PROVIDERS[0] |= {"name": "acme", "issuer": "https://moved.example"}
        assert reverse("provider_add", kwargs={"name": "acme"}) in client.get(reverse("security")).content.decode()

    def test_and_nobody_else(self, client, issuer, sign_in_with, leave, come_back):
        sign_in_with(client)
        RefreshToken.objects.update(authenticated_at="2020-01-01T00:00:00Z")
        issuer.claims |= {"sub": "another", "auth_time": int(time())}
        come_back(client, leave(client, reverse("provider_confirm", kwargs={"name": "acme"})))
        client.post(reverse("username_change"), {"username": "caroline"})
        assert not User.objects.filter(username="caroline").exists()

    @pytest.mark.parametrize(("label", "said"), [("Acme", "with Acme"), (None, "with acme")])
    def test_the_activity_names_it_as_long_as_it_is_kept(self, client, linked, settings, label, said):
        if label is None:
            settings.PROVIDERS = []
        page = client.get(reverse("activity")).content.decode()
        [event] = re.findall("<h3>Sign-in with another account added</h3>.*?</li>", page, re.DOTALL)
        assert said in event

    @pytest.mark.parametrize("is_left", [True, False])
    def test_a_provider_that_was_taken_out_of_the_settings_is_no_way_in(self, client, issuer, sign_in_with, is_left):
        sign_in_with(client)
        other = {"provider": "other", "issuer": issuer.url if is_left else "https://gone.example", "subject": "7"}
        Identity.objects.create(key="x", user=User.objects.get(), **other)
        client.post(reverse("provider_remove", kwargs={"pk": Identity.objects.get(provider="acme").pk}))
        assert Identity.objects.filter(provider="acme").exists() is not is_left
