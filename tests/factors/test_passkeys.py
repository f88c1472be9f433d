"""Passkeys by the pages: added, used alone, used as the second factor, removed."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from django.urls import reverse
from webauthn.helpers import bytes_to_base64url as encoded

from accounts.factors import challenges, passkeys
from accounts.factors.challenges import Purpose
from accounts.models import Attempt, FactorSettings, OutgoingMail, Passkey, RecoveryCode, SecurityEvent
from accounts.security import limits
from accounts.security.rate_limit import Rate
from tests.accounts.reauthenticating import answer, expire_reauthentication
from tests.factors.authenticator import BE, PRESENT, UP, Authenticator
from tests.factors.conftest import options, signals
from tokens.models import RefreshToken
from tokens.testing import Client
from tokens.verification import verify_access

Kind = SecurityEvent.Kind
LOGIN, PASSKEY_LOGIN = reverse("login"), reverse("passkey_login")
SECOND_FACTOR, SECURITY, ADD = reverse("second_factor"), reverse("security"), reverse("passkey_add")
REFUSED = "That passkey didn&#x27;t work."


def use(authenticator, client=None, **more):
    """Sign in by the passkey alone, in a new browser."""
    client = client or Client()
    response = authenticator.get(options(client.get(LOGIN)))
    return client.post(PASSKEY_LOGIN, {"response": response, **more})


def is_signed_in(client):
    return client.get(reverse("profile")).status_code == 200


@pytest.fixture
def passkey(bob, client, sign_in, enrol):
    """Bob's passkey; he is signed in with `client`."""
    sign_in(client, bob)
    enrol(client)
    return Passkey.objects.get()


class TestAdd:
    def test_it_is_stored_told_and_ends_the_other_sessions(self, bob, client, sign_in, enrol):
        elsewhere = Client()
        sign_in(elsewhere, bob)
        sign_in(client, bob)
        response = enrol(client)
        assert response.url == reverse("recovery_codes")
        passkey = Passkey.objects.get()
        assert (passkey.user, passkey.backup_eligible, passkey.discoverable) == (bob, True, True)
        assert passkey.transports == "internal hybrid"
        assert is_signed_in(client)
        assert "second step for signing in was added or removed" in elsewhere.get("/", follow=True).content.decode()
        assert SecurityEvent.objects.get(kind=Kind.PASSKEY_ADDED).user == bob
        assert OutgoingMail.objects.get(kind="factors_changed").context["change"] == Kind.PASSKEY_ADDED
        assert verify_access(client.cookies["__Host-access"].value).amr == ("pwd", "swk", "user", "mfa")

    def test_the_second_one_ends_nothing(self, bob, client, passkey, enrol, settings):
        elsewhere = RefreshToken.objects.get(revoked_at=None).pk
        assert enrol(client, Authenticator(settings.TOKENS_ISSUER, "testserver")).url == SECURITY
        assert RefreshToken.objects.get(revoked_at=None).pk == elsewhere

    def test_the_page_names_nobody_and_excludes_what_is_there(self, bob, client, passkey):
        about = options(client.post(ADD), "create")
        handle = FactorSettings.objects.get(user=bob).handle
        assert about["user"] == {"id": encoded(handle.bytes), "name": "bob", "displayName": "bob"}
        assert handle != bob.pk
        assert [one["id"] for one in about["excludeCredentials"]] == [passkey.credential_id]

    def test_the_password_is_asked_for_before_the_browser_makes_it(self, bob, client, sign_in, enrol):
        sign_in(client, bob)
        expire_reauthentication()
        question = client.post(ADD)
        assert "data-passkey" not in question.content.decode()
        assert options(answer(client, question), "create")

    def test_a_registration_works_once_and_in_its_session_only(self, bob, alice, client, sign_in, authenticator):
        sign_in(client, bob)
        response = authenticator.create(options(client.post(ADD), "create"))
        other = Client()
        sign_in(other, alice)
        page = other.post(ADD, {"response": response})
        assert REFUSED in page.content.decode()
        assert signals(page)["signalUnknownCredential"]["credentialId"] == json.loads(response)["id"]
        assert client.post(ADD, {"response": response}).status_code == 302
        page = client.post(ADD, {"response": response, "again": "so that it is another form"})
        assert REFUSED in page.content.decode()
        assert "signalUnknownCredential" not in signals(page)  # or the browser would delete it
        assert Passkey.objects.count() == 1

    def test_one_without_verification_is_refused(self, bob, client, sign_in, enrol, authenticator):
        sign_in(client, bob)
        authenticator.flags = UP | BE
        assert REFUSED in enrol(client).content.decode()
        assert not Passkey.objects.exists()

    def test_there_is_a_limit_to_how_many_and_how_often(self, bob, client, passkey, monkeypatch, enrol):
        monkeypatch.setattr(limits, "ENROLMENT", limits.Limit("few", account=Rate(1, 60, 60, 600)))
        enrol(client)
        assert "Too many attempts" in enrol(client).content.decode()
        monkeypatch.setattr(passkeys, "MAX_PASSKEYS", 2)
        assert client.post(ADD).url == SECURITY
        assert Passkey.objects.count() == 2


class TestNameAndRemove:
    def test_a_new_name(self, client, passkey):
        client.post(reverse("passkey_name", args=[passkey.pk]), {"name": "My key"})
        assert "<bdi>My key</bdi>" in client.get(SECURITY).content.decode()

    def test_the_last_one_takes_the_codes_along_and_the_browser_is_told(self, bob, client, passkey):
        client.post(reverse("recovery_codes"))
        assert signals(client.get(SECURITY))["signalAllAcceptedCredentials"]["allAcceptedCredentialIds"]
        page = client.get(reverse("passkey_remove", args=[passkey.pk]))
        assert "Your password alone will let you in" in page.content.decode()
        client.post(reverse("passkey_remove", args=[passkey.pk]))
        assert not Passkey.objects.exists() and not RecoveryCode.objects.exists()
        told = signals(client.get(SECURITY))
        assert told["signalAllAcceptedCredentials"]["allAcceptedCredentialIds"] == []
        assert told["signalCurrentUserDetails"]["name"] == "bob"
        assert SecurityEvent.objects.filter(kind=Kind.PASSKEY_REMOVED).count() == 1
        assert OutgoingMail.objects.latest("pk").context["change"] == Kind.PASSKEY_REMOVED

    @pytest.mark.parametrize("page", ["passkey_name", "passkey_remove"])
    def test_nobody_else_can(self, alice, passkey, sign_in, page):
        other = Client()
        sign_in(other, alice)
        url = reverse(page, args=[passkey.pk])
        assert other.get(url).status_code == other.post(url, {"name": "mine"}).status_code == 404

    @pytest.mark.parametrize("page", ["passkey_name", "passkey_remove"])
    def test_the_password_is_asked_for(self, client, passkey, page):
        expire_reauthentication()
        client.post(reverse(page, args=[passkey.pk]), {"name": "another"})
        assert Passkey.objects.get().name == passkey.name


class TestSignInByPasskeyAlone:
    def test_it_counts_as_both_factors(self, bob, passkey, authenticator):
        client = Client()
        response = use(authenticator, client, next=SECURITY, remember="on")
        assert (response.status_code, response.url) == (302, SECURITY)
        row = RefreshToken.objects.latest("created_at")
        assert (row.user, row.method, row.remember) == (bob, RefreshToken.Method.PASSKEY, True)
        assert (row.amr, row.acr) == ("swk user mfa", "phr")
        assert verify_access(client.cookies["__Host-access"].value).acr == "phr"
        assert client.cookies["__Host-refresh"]["max-age"]
        assert is_signed_in(client)

    def test_one_that_is_removed_this_very_moment_signs_nobody_in(self, passkey, client, authenticator, monkeypatch):
        """The end of a removal ends all sessions: that of a thief who signs in meanwhile must not follow."""

        def amr(used):
            Passkey.objects.all().delete()
            RefreshToken.objects.all().revoke(RefreshToken.Reason.FACTORS)
            return ("swk", "user")

        monkeypatch.setattr(passkeys, "amr", amr)
        thief = Client()
        use(authenticator, thief)
        assert not (RefreshToken.objects.live().exists() or is_signed_in(thief))

    def test_a_device_bound_one_is_told_apart(self, bob, client, sign_in, enrol, authenticator):
        authenticator.flags, authenticator.step = PRESENT, 1
        sign_in(client, bob)
        enrol(client)
        use(authenticator)
        assert RefreshToken.objects.latest("created_at").amr == "hwk user mfa"

    def test_a_response_is_good_once_however_it_is_sent(self, passkey, authenticator):
        client = Client()
        response = authenticator.get(options(client.get(LOGIN)))
        assert client.post(PASSKEY_LOGIN, {"response": response}).status_code == 302
        for again in (Client(), client):
            page = again.post(PASSKEY_LOGIN, {"response": response, "again": "so that it is another form"})
            assert REFUSED in page.content.decode()

    def test_what_is_refused_looks_the_same(self, bob, passkey, authenticator, settings):
        other = Authenticator(settings.TOKENS_ISSUER, "testserver")
        client = Client()
        about = options(client.get(LOGIN))
        other.create({"user": {"id": "YQ"}, "challenge": "YQ"})
        unknown = client.post(PASSKEY_LOGIN, {"response": other.get(about)})
        assert signals(unknown)["signalUnknownCredential"] == {
            "rpId": "testserver",
            "credentialId": encoded(other.credentials[0].id),
        }
        forged = json.loads(authenticator.get(about))
        forged["response"]["signature"] = "YQ"
        pages = [unknown, client.post(PASSKEY_LOGIN, {"response": json.dumps(forged)})]
        authenticator.flags = UP | BE
        pages.append(use(authenticator, client))
        authenticator.flags = PRESENT | BE
        bob.is_active = False
        bob.save()
        pages.append(use(authenticator, client))
        pages += [client.post(PASSKEY_LOGIN, {"response": one}) for one in ("{}", "[", "\0", "x" * 20_000)]
        for page in pages:
            assert page.status_code == 200
            assert not client.cookies.get("__Host-refresh")
        assert all("signalUnknownCredential" not in signals(page) for page in pages[1:])
        assert [REFUSED in page.content.decode() for page in pages] == [True] * 6 + [False] * 2

    def test_the_cause_is_logged_and_no_secret_with_it(self, passkey, authenticator, caplog):
        authenticator.origin = "https://evil.example"
        use(authenticator)
        [record] = [record for record in caplog.records if getattr(record, "kind", "") == "passkey_refused"]
        assert "Unexpected client data origin" in record.cause

    def test_a_copy_of_a_device_bound_one_is_told(self, bob, client, sign_in, enrol, authenticator):
        authenticator.flags, authenticator.step = PRESENT, 1
        sign_in(client, bob)
        enrol(client)
        use(authenticator)
        authenticator.credentials[0].count = 0
        assert REFUSED in use(authenticator).content.decode()
        assert SecurityEvent.objects.get(kind=Kind.PASSKEY_COPIED).user == bob

    def test_strangers_have_a_bucket_of_their_own(self, bob, passkey, authenticator, sign_in, monkeypatch):
        monkeypatch.setattr(limits, "PASSKEY", limits.Limit("few", visitor=Rate(1, 60, 60, 600)))
        client = Client()
        for _ in range(2):
            page = client.post(PASSKEY_LOGIN, {"response": "{}"})
        assert page.status_code == 429
        assert "Too many attempts" in page.content.decode()
        assert client.post(LOGIN, {"username": "bob", "password": "correct horse battery"}).url == SECOND_FACTOR

    def test_a_page_that_is_open_for_long_gets_a_new_challenge(self, passkey, authenticator):
        client = Client()
        response = authenticator.get(client.get(reverse("passkey_options")).json())
        assert not client.cookies
        client.get(LOGIN)
        assert client.post(PASSKEY_LOGIN, {"response": response}).status_code == 302
        assert Client().get(PASSKEY_LOGIN).url == LOGIN

    def test_where_emails_have_to_be_confirmed_it_is_no_way_round(self, bob, passkey, authenticator, settings):
        settings.EMAIL_VERIFICATION = "mandatory"
        assert use(authenticator).url == reverse("email_verify")

    def test_it_ends_a_half_way_sign_in_of_somebody_else(self, bob, alice, passkey, authenticator, sign_in):
        client = Client()
        client.post(LOGIN, {"username": "bob", "password": "correct horse battery"})
        use(authenticator, client)
        assert not Attempt.objects.exists()


def test_password_managers_find_where_passkeys_are(bob, client, sign_in, settings, django_assert_num_queries):
    sign_in(client, bob)
    with django_assert_num_queries(0):
        response = client.get("/.well-known/passkey-endpoints")
    url = f"{settings.TOKENS_ISSUER}{SECURITY}"
    assert response.json() == {"enroll": url, "manage": url}
    assert response.headers["Content-Type"] == "application/json" and not response.cookies


class TestReauthentication:
    def ask(self, client):
        expire_reauthentication()
        return client.post(reverse("passkey_name", args=[Passkey.objects.get().pk]), {"name": "another"})

    def answer(self, client, page, response):
        url = page.wsgi_request.get_full_path()
        return client.post(url, {"proof-response": response, "name": "another"})

    def test_a_passkey_confirms_who_it_is_and_the_form_goes_on(self, client, passkey, authenticator):
        page = self.ask(client)
        assert self.answer(client, page, authenticator.get(options(page))).url == SECURITY
        assert Passkey.objects.get().name == "another"
        row = RefreshToken.objects.get(revoked_at=None)
        assert (row.amr, row.acr) == ("pwd swk user mfa", "phr")

    def test_verification_is_needed_here_too(self, client, passkey, authenticator):
        authenticator.flags = UP | BE
        page = self.ask(client)
        assert REFUSED in self.answer(client, page, authenticator.get(options(page))).content.decode()
        assert Passkey.objects.get().name != "another"

    def test_whoever_has_nothing_else_is_asked_for_nothing_else(self, client, passkey):
        page = self.ask(client).content.decode()
        assert "proof-response" in page
        assert "proof-code" not in page and "proof-password" not in page

    def test_the_response_of_another_session_or_purpose_confirms_nothing(self, client, passkey, authenticator):
        other = Client()
        use(authenticator, other)
        for challenge in (options(self.ask(other)), options(Client().get(LOGIN))):
            page = self.ask(client)
            page = self.answer(client, page, authenticator.get(challenge))
            assert REFUSED in page.content.decode()
        assert Passkey.objects.get().name != "another"
        assert SecurityEvent.objects.filter(kind=Kind.SECOND_FACTOR_FAILED).count() == 2


class TestSecondFactor:
    @pytest.fixture
    def halfway(self, passkey):
        """A browser in which Bob has given his password."""
        client = Client()
        client.post(LOGIN, {"username": "bob", "password": "correct horse battery", "remember": "on", "next": SECURITY})
        return client

    def test_password_then_passkey(self, passkey, halfway, authenticator):
        page = halfway.get(SECOND_FACTOR)
        assert [one["id"] for one in options(page)["allowCredentials"]] == [passkey.credential_id]
        response = halfway.post(SECOND_FACTOR, {"response": authenticator.get(options(page))})
        assert (response.status_code, response.url) == (302, SECURITY)
        row = RefreshToken.objects.latest("created_at")
        assert (row.amr, row.acr, row.remember, row.method) == ("pwd swk user mfa", "phr", True, "password")

    @pytest.mark.parametrize("purpose", [Purpose.SIGN_IN, Purpose.REAUTHENTICATION, Purpose.REGISTRATION])
    def test_a_challenge_of_another_purpose_is_refused(self, halfway, authenticator, purpose):
        challenge = encoded(challenges.new(purpose, Attempt.objects.get().pk))
        page = halfway.post(SECOND_FACTOR, {"response": authenticator.get({"challenge": challenge})})
        assert REFUSED in page.content.decode()
        assert SecurityEvent.objects.filter(kind=Kind.SECOND_FACTOR_FAILED).count() == 1

    def test_verification_is_needed_here_too(self, halfway, authenticator):
        authenticator.flags = UP | BE
        page = halfway.get(SECOND_FACTOR)
        assert REFUSED in halfway.post(SECOND_FACTOR, {"response": authenticator.get(options(page))}).content.decode()

    def test_the_passkey_of_somebody_else_is_no_factor(self, alice, halfway, enrol, sign_in, settings):
        hers = Authenticator(settings.TOKENS_ISSUER, "testserver")
        other = Client()
        sign_in(other, alice)
        enrol(other, hers)
        response = hers.get(options(halfway.get(SECOND_FACTOR)))
        assert REFUSED in halfway.post(SECOND_FACTOR, {"response": response}).content.decode()

    def test_five_tries(self, halfway, authenticator):
        about = options(halfway.get(SECOND_FACTOR))
        for n in range(5):
            page = halfway.post(SECOND_FACTOR, {"response": "{}", "n": n})
        assert page.url == LOGIN
        assert halfway.post(SECOND_FACTOR, {"response": authenticator.get(about)}).url == LOGIN


@pytest.mark.django_db(transaction=True)
class TestRaces:
    def test_of_ten_copies_of_one_response_one_signs_in(self, passkey, authenticator):
        before = RefreshToken.objects.count()
        response, start = authenticator.get(options(Client().get(LOGIN))), Barrier(10)

        def send(n):
            start.wait()
            try:
                return Client().post(PASSKEY_LOGIN, {"response": response, "n": n}).status_code
            finally:
                connection.close()

        with ThreadPoolExecutor(10) as pool:
            statuses = list(pool.map(send, range(10)))
        assert statuses.count(302) == 1
        assert RefreshToken.objects.count() == before + 1
