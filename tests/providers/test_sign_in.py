"""Sign in and sign up with a provider: who it is."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.mails import worker
from accounts.models import Identity, OutgoingMail, ProviderFlow, SecurityEvent, User
from accounts.models.factors import digest
from tests.accounts.mail_contents import code_in
from tests.conftest import PASSWORD
from tests.providers.conftest import CALLBACK, is_signed_in
from tokens.models import RefreshToken
from tokens.testing import Client

pytestmark = pytest.mark.django_db


class TestLeave:
    def test_the_provider_gets_what_it_needs_and_nothing_else(self, client, issuer, leave):
        asked = {name: values[0] for name, values in parse_qs(urlsplit(leave(client)).query).items()}
        assert asked.pop("redirect_uri") == f"http://testserver{CALLBACK}"
        secret = client.cookies["__Host-provider"].value
        assert asked.pop("state") == digest(secret) == ProviderFlow.objects.get().pk
        assert {len(asked.pop("nonce")), len(asked.pop("code_challenge"))} == {64, 43}
        assert asked == {
            "response_type": "code",
            "client_id": "us",
            "scope": "openid email profile",
            "code_challenge_method": "S256",
            "ui_locales": "en",
        }

    def test_another_site_cannot_press_the_button(self, issuer):
        page = Client(enforce_csrf_checks=True).post(reverse("provider_login", kwargs={"name": "acme"}))
        assert page.status_code == 403

    def test_an_unknown_provider_is_not_found(self, client, issuer):
        assert client.post(reverse("provider_login", kwargs={"name": "nobody"})).status_code == 404


class TestSignUp:
    def test_whom_the_provider_vouches_for_has_a_confirmed_account(self, client, issuer, sign_in_with):
        assert sign_in_with(client, next="/accounts/profile/").headers["Location"] == "/accounts/profile/"
        user = User.objects.get()
        assert (user.username, user.email, user.has_usable_password()) == ("carol", "carol@example.org", False)
        assert user.email_verified_at and is_signed_in(client)
        assert "with Acme" in client.get(reverse("sessions")).content.decode()
        kinds = SecurityEvent.objects.filter(method="acme").values_list("kind", flat=True)
        assert {*kinds} == {"signed_up", "signed_in"}

    @pytest.mark.parametrize(("subject", "counts"), [("248289761001", True), ("another", False)])
    def test_the_userinfo_says_what_the_id_token_leaves_out(self, client, issuer, sign_in_with, subject, counts):
        issuer.without = {"email", "email_verified"}
        issuer.pages["/userinfo"] = {**issuer.claims, "sub": subject, "preferred_username": "caroline"}
        sign_in_with(client)
        found = User.objects.exclude(email_verified_at=None).filter(username="caroline", email="carol@example.org")
        assert found.exists() is Identity.objects.exists() is counts

    def test_next_leads_to_no_other_site(self, client, issuer, sign_in_with):
        assert sign_in_with(client, next="https://evil.example/").headers["Location"] == "/"

    def test_a_taken_name_gets_a_number(self, client, bob, issuer, sign_in_with):
        issuer.claims["preferred_username"] = "Bob"
        sign_in_with(client)
        assert Identity.objects.get().user.username == "bob2"

    @pytest.mark.parametrize("verified", ["true", 1, False, None])
    def test_an_email_that_is_not_verified_is_not_believed(self, client, bob, issuer, sign_in_with, verified):
        bob.email_verified_at = bob.date_joined
        bob.save()
        issuer.claims |= {"email": bob.email, "email_verified": verified}
        sign_in_with(client)
        user = Identity.objects.get().user
        assert user != bob and user.email_verified_at is None

    def test_nor_is_that_of_an_issuer_that_is_not_trusted(self, client, issuer, settings, sign_in_with):
        del settings.PROVIDERS[0]["trusted_for_emails"]
        sign_in_with(client)
        assert User.objects.get().email_verified_at is None

    def test_whoever_signed_up_with_it_before_is_signed_out(self, client, bob, issuer, sign_in, sign_in_with):
        squatter = Client()
        sign_in(squatter, bob)
        issuer.claims["email"] = bob.email
        sign_in_with(client)
        assert not is_signed_in(squatter) and is_signed_in(client)
        newcomer = Identity.objects.get().user
        assert newcomer != bob and User.objects.by_login(bob.email).first() == newcomer
        worker.send_due()
        assert [message.subject for message in mail.outbox if message.to == [bob.email]][-1:] == [
            "Your email address is now confirmed"
        ]

    @pytest.mark.parametrize(
        "email", [None, "", 7, "carol", "cär@example.org", f"{'x' * 64}@{'x' * 60}.{'y.' * 65}org"]
    )
    def test_without_an_email_that_gets_mail_there_is_no_account(self, client, issuer, sign_in_with, email):
        issuer.claims["email"] = email
        assert sign_in_with(client).headers["Location"] == reverse("login")
        assert not User.objects.exists()

    def test_a_mandatory_confirmation_comes_first(self, client, issuer, settings, sign_in_with):
        settings.EMAIL_VERIFICATION = "mandatory"
        issuer.claims["email_verified"] = False
        assert sign_in_with(client).headers["Location"] == reverse("email_verify")
        assert not is_signed_in(client)
        worker.send_due()
        client.post(reverse("email_verify"), {"code": code_in(mail.outbox[0])})
        row = RefreshToken.objects.get()
        assert (row.method, row.amr) == ("acme", "fed")

    def test_nobody_learns_of_whom_it_is_but_the_reader_of_its_mail(self, bob, issuer, settings, sign_in_with):
        del settings.PROVIDERS[0]["trusted_for_emails"]
        User.objects.filter(pk=bob.pk).update(email_verified_at=bob.date_joined)
        seen = []
        for email in ("dave@example.org", bob.email):
            issuer.claims |= {"sub": email, "email": email}
            client = Client()
            with CaptureQueriesContext(connection) as queries:
                location = sign_in_with(client).headers["Location"]
            page = client.get(reverse("email_verify")).content.decode().replace(email, "…")
            seen.append((location, len(queries), "We sent an email to" in page or page.count("…")))
        worker.send_due()
        assert seen[0] == seen[1]
        assert [(each.to, each.subject) for each in mail.outbox] == [
            (["dave@example.org"], "Confirm your email address"),
            ([bob.email], "Someone tried to sign up with your email address"),
        ]

    def test_it_writes_to_a_mailbox_as_seldom_as_any_sign_up(self, issuer, settings, sign_in_with):
        """Whoever has many accounts elsewhere could have strangers written to by us."""
        settings.EMAIL_VERIFICATION = "mandatory"
        issuer.claims["email_verified"] = False
        assert [sign_in_with(Client()).status_code for _ in range(4)] == [302, 302, 302, 429]
        settings.EMAIL_VERIFICATION = "optional"
        email, password = "dave@example.org", {"password1": PASSWORD, "password2": PASSWORD}
        for number in range(5):
            Client().post(reverse("signup"), {"username": f"dave{number}", "email": email, **password})
        issuer.claims |= {"sub": "dave", "email": email}
        assert sign_in_with(Client()).status_code == 429
        issuer.claims["email_verified"] = True
        assert sign_in_with(Client()).headers["Location"] == "/", "Strangers block nobody whose provider vouches."


class TestSignIn:
    def test_the_subject_decides_whatever_the_email_is_now(self, client, alice, issuer, sign_in_with):
        sign_in_with(client)
        issuer.claims["email"] = alice.email
        browser = Client()
        sign_in_with(browser)
        identity = Identity.objects.get()
        assert identity.user.username == "carol" and identity.email == alice.email
        assert identity.user.email == "carol@example.org" and is_signed_in(browser)

    def test_subjects_are_compared_exactly(self, client, issuer, sign_in_with):
        for subject, email in (("abc", "carol@example.org"), ("ABC", "dan@example.org")):
            issuer.claims |= {"sub": subject, "email": email}
            sign_in_with(Client())
        assert User.objects.count() == 2

    def test_a_closed_account_stays_closed(self, client, issuer, sign_in_with):
        sign_in_with(Client())
        User.objects.update(is_active=False)
        sign_in_with(client)
        assert not is_signed_in(client)

    def test_another_browser_is_told_whatever_it_calls_itself(self, issuer, sign_in_with):
        here = Client()
        for browser, told in ((here, 0), (here, 0), (Client(), 1)):
            browser.post(reverse("logout"))
            sign_in_with(browser)
            assert OutgoingMail.objects.filter(kind="new_browser").count() == told

    def test_the_second_factor_is_asked_for(self, client, issuer, sign_in_with, enrol):
        sign_in_with(client)
        enrol(client)
        browser = Client()
        assert sign_in_with(browser).headers["Location"] == reverse("second_factor")
        assert not is_signed_in(browser)

    @pytest.mark.parametrize("believed", [True, False])
    def test_that_of_the_provider_counts_if_it_is_listed(self, client, issuer, settings, sign_in_with, enrol, believed):
        sign_in_with(client)
        enrol(client)
        settings.PROVIDERS[0]["trusted_for_authentication"] = believed
        issuer.claims |= {"amr": ["pwd", "mfa", "rba", 7], "acr": "phr"}
        browser = Client()
        sign_in_with(browser)
        assert is_signed_in(browser) is believed
        if believed:
            row = RefreshToken.objects.latest("created_at")
            assert (row.amr, row.acr, row.method) == ("fed pwd mfa", "phr", "acme")


class TestGitHub:
    def test_users_are_known_by_their_number(self, client, issuer, settings, leave, come_back):
        settings.PROVIDERS[0]["kind"] = "github"
        issuer.pages |= {
            "/api/v3/user": {"id": 7, "login": "Octo-Cat"},
            "/api/v3/user/emails": [{"email": "octo@example.org", "primary": True, "verified": True}],
        }
        come_back(client, leave(client), iss=f"{issuer.url}/login/oauth")  # as its metadata has it
        user = Identity.objects.get(subject="7").user
        assert (user.username, user.email) == ("octo-cat", "octo@example.org") and user.email_verified_at

    @pytest.mark.parametrize("number", ["7", True, None, 0, 7.0, 2**63])
    def test_and_by_nothing_else(self, client, issuer, settings, sign_in_with, number):
        settings.PROVIDERS[0]["kind"] = "github"
        issuer.pages |= {"/api/v3/user": {"id": number, "login": "x"}, "/api/v3/user/emails": []}
        sign_in_with(client)
        assert not Identity.objects.exists()
