"""Sign in and sign up with a provider: who it is, and what a forged answer gets."""

import re
from time import time
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.mails import worker
from accounts.models import Identity, OutgoingMail, ProviderFlow, SecurityEvent, User
from accounts.models.factors import digest
from tests.accounts.mail_contents import code_in
from tests.conftest import PASSWORD
from tests.providers.conftest import CALLBACK, is_signed_in
from tests.providers.issuer import KEY, OTHER_KEY
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


class TestForgedAnswer:
    """None signs anybody in, makes an account or fails."""

    @pytest.fixture
    def refused(self, client, caplog):
        """`refused(response, cause)` holds it against what the log says."""

        def refused(response, cause):
            assert response.status_code == 302 and response.headers["Location"] == reverse("login")
            assert cause in " ".join(record.cause for record in caplog.records if hasattr(record, "cause"))
            assert not Identity.objects.exists() and not is_signed_in(client)

        return refused

    @pytest.mark.parametrize(
        ("claims", "cause"),
        [
            ({"iss": "https://evil.example"}, "issuer"),
            ({"aud": "another"}, "Audience"),
            ({"aud": ["us", "another"]}, "another client"),
            ({"aud": ["us", "another"], "azp": "another"}, "another client"),
            ({"azp": "another"}, "another client"),
            ({"nonce": "another"}, "another flow"),
            ({"nonce": 1}, "another flow"),
            ({"exp": 1}, "expired"),
            ({"exp": "soon"}, "not valid"),
            ({"sub": 1}, "Subject"),
            ({"sub": ""}, "subject"),
            ({"sub": "a\0"}, "subject"),
            ({"sub": "x" * 256}, "subject"),
            ({"at_hash": "another"}, "access token"),
        ],
    )
    def test_by_a_claim(self, client, issuer, sign_in_with, refused, claims, cause):
        issuer.claims |= claims
        refused(sign_in_with(client), cause)

    @pytest.mark.parametrize("claim", ["sub", "aud", "exp", "iat", "nonce", "iss"])
    def test_by_a_claim_that_is_missing(self, client, issuer, sign_in_with, refused, claim):
        issuer.without = {claim}
        refused(sign_in_with(client), claim)

    @pytest.mark.parametrize(
        ("sign", "header", "cause"),
        [
            ({"key": OTHER_KEY, "algorithm": "RS256"}, {"kid": "one"}, "Signature"),
            ({"key": OTHER_KEY, "algorithm": "RS256"}, {"kid": "two"}, "no single key"),
            ({"key": None, "algorithm": "none"}, {"kid": "one"}, "alg"),
            ({"key": "x" * 64, "algorithm": "HS256"}, {"kid": "one"}, "alg"),
            ({"key": KEY, "algorithm": "RS512"}, {"kid": "one"}, "alg"),
            ({"key": KEY, "algorithm": "PS256"}, {"kid": "one"}, "alg"),
        ],
    )
    def test_by_its_signature(self, client, issuer, sign_in_with, refused, sign, header, cause):
        issuer.sign, issuer.header = sign, header
        refused(sign_in_with(client), cause)

    def test_another_issuer_passes_its_answer_off_as_this_one_s(self, client, issuer, leave, come_back, refused):
        refused(come_back(client, leave(client), iss="https://evil.example"), "another issuer")
        assert "/token" not in issuer.asked

    def test_an_issuer_that_promises_its_name_has_to_give_it(self, client, issuer, leave, come_back, refused):
        path = "/.well-known/openid-configuration"
        issuer.pages[path] = {**issuer.answer(path, {}), "authorization_response_iss_parameter_supported": True}
        refused(come_back(client, leave(client)), "another issuer")
        come_back(client, leave(client), iss=issuer.url)
        assert is_signed_in(client)

    def test_the_answer_of_somebody_else_s_flow(self, client, issuer, leave, refused):
        """Login CSRF: an attacker has a victim come back with the attacker's own answer."""
        url = leave(Client())
        leave(client)
        refused(client.get(CALLBACK, issuer.authorize(url)), "No such flow")

    def test_without_a_flow(self, client, issuer, refused):
        refused(client.get(CALLBACK, {"code": "x", "state": "y"}), "No such flow")

    def test_a_flow_that_is_over(self, client, issuer, leave, come_back, refused):
        url = leave(client)
        ProviderFlow.objects.update(created_at="2020-01-01T00:00:00Z")
        refused(come_back(client, url), "No such flow")

    def test_an_answer_counts_once(self, client, issuer, leave, caplog):
        answer = issuer.authorize(leave(client))
        cookie = client.cookies["__Host-provider"].value
        assert client.get(CALLBACK, answer).headers["Location"] == "/"
        thief = Client()
        thief.cookies["__Host-provider"] = cookie
        assert thief.get(CALLBACK, answer).headers["Location"] == reverse("login")
        assert "This sign-in has expired or was already used." in thief.get(reverse("login")).content.decode()
        assert issuer.asked.count("/token") == 1

    @pytest.mark.parametrize("error", ["access_denied", "user_cancelled_authorize"])
    def test_whoever_cancels_is_back_at_the_sign_in(self, client, issuer, leave, refused, error):
        state = parse_qs(urlsplit(leave(client)).query)["state"][0]
        refused(client.get(CALLBACK, {"error": error, "state": state}), error)
        assert "You cancelled signing in with Acme." in client.get(reverse("login")).content.decode()

    @pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/keys", "/token"])
    @pytest.mark.parametrize(
        "page",
        [
            (500, b""),
            (302, b""),
            (200, b"<html>"),
            (200, b"[" * 100_000),
            (200, b" " * 300_000),
            (200, b"[1]"),
            (200, b"{}"),
            (200, b'{"keys": [{"kid": "one", "kty": "RSA"}, 7], "id_token": 7}'),
        ],
    )
    def test_whatever_the_provider_answers(self, client, issuer, leave, come_back, path, page):
        issuer.pages[path] = page
        if path.startswith("/.well"):
            response = client.post(reverse("provider_login", kwargs={"name": "acme"}))
        else:
            response = come_back(client, leave(client))
        assert response.headers["Location"] == reverse("login")
        assert "/elsewhere" not in issuer.asked and not is_signed_in(client)


class TestFormPost:
    def test_what_is_posted_waits_for_the_cookie(self, client, issuer, settings, leave):
        settings.PROVIDERS[0]["response_mode"] = "form_post"
        url = leave(client)
        answer = issuer.authorize(url)
        assert parse_qs(urlsplit(url).query)["response_mode"] == ["form_post"]
        posted = Client(enforce_csrf_checks=True).post(CALLBACK, answer)  # without a cookie, as SameSite has it
        assert (posted.status_code, posted.headers["Location"]) == (303, CALLBACK)
        assert not is_signed_in(client)
        client.get(CALLBACK)
        assert is_signed_in(client)

    def test_an_answer_to_no_flow_leaves_no_row(self, client, issuer, settings):
        settings.PROVIDERS[0]["response_mode"] = "form_post"
        assert client.post(CALLBACK, {"code": "x", "state": "y"}).status_code == 303
        assert not ProviderFlow.objects.exists()

    def test_a_provider_that_answers_in_the_url_posts_nothing(self, client, issuer):
        assert client.post(CALLBACK, {"code": "x"}).status_code == 404


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

    @pytest.mark.parametrize(
        ("says", "stays"),
        [
            ({}, True),
            ({"email_verified": False}, False),
            ({"email": "mallory@example.org"}, False),
        ],
    )
    def test_a_reset_leaves_the_providers_that_know_the_owner_of_the_email(
        self, client, issuer, sign_in, leave, come_back, says, stays
    ):
        """A stranger signed up with Carol's email, and added a provider once she had followed the link in the mail."""
        carol = User.objects.create_user("carol", "carol@example.org", PASSWORD, email_verified_at=timezone.now())
        sign_in(client, carol)
        issuer.claims |= says
        come_back(client, leave(client, reverse("provider_add", kwargs={"name": "acme"})))
        self.reset_password()
        assert Identity.objects.exists() is stays and not is_signed_in(client)

    def test_a_reset_removes_those_from_before_the_proof_of_the_email(self, client, issuer, sign_in_with):
        """A stranger who signed up with somebody's email and an account of their own elsewhere keeps no way in."""
        issuer.claims["email_verified"] = False
        sign_in_with(client)
        self.reset_password()
        assert not Identity.objects.exists() and not is_signed_in(client)

    def reset_password(self):
        browser = Client()
        browser.post(reverse("password_reset"), {"email": "carol@example.org"})
        worker.send_due()
        link = next(line for line in mail.outbox[-1].body.splitlines() if "/password/reset/" in line)
        form = browser.get(urlsplit(link).path).headers["Location"]
        words = f"{PASSWORD} and more"
        browser.post(form, {"new_password1": words, "new_password2": words})
        assert User.objects.get().check_password(words)


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
