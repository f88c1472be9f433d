"""Ways round the second factor that an attacker would try."""

from dataclasses import replace

import pyotp
import pytest
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlsafe_base64_encode
from django.views.debug import ExceptionReporter

from accounts.factors import recovery_codes, totp
from accounts.models import Attempt, Authenticator, Passkey, RecoveryCode
from accounts.models.factors import RecoveryCodeQuerySet
from accounts.security import hashers, limits
from accounts.security.rate_limit import Rate
from accounts.security.reset_tokens import reset_tokens
from tests.accounts.conftest import hashes
from tests.conftest import PASSWORD
from tests.factors.conftest import options
from tokens.models import RefreshToken, locks
from tokens.testing import Client

__all__ = ["hashes"]
SECOND_FACTOR = reverse("second_factor")


def test_the_page_that_sets_up_an_app_decrypts_no_secret_of_the_table(alice, sign_in, secret):
    """Alice has read a backup, and sends what it holds of Bob as the secret of her own new app."""
    client = Client()
    sign_in(client, alice)
    stored = Authenticator.objects.get().secret
    page = client.post(reverse("authenticator"), {"secret": stored, "code": "000000"}).content.decode()
    assert secret not in page.replace(" ", "")


class TestWhatComesAfterLogin:
    @pytest.fixture(autouse=True)
    def packages(self, settings):
        settings.ROOT_URLCONF = "tests.factors.urls"

    def test_nothing_is_held_of_a_sign_in_that_the_view_has_undone(self, secret):
        client = Client()
        assert client.get("/log-in-and-out/").status_code == 200
        assert not Attempt.objects.exists()

    def test_nothing_is_held_of_whom_somebody_else_has_followed(self, alice, secret):
        client = Client()
        assert client.get("/log-in-bob-then-alice/").status_code == 200
        assert not Attempt.objects.exists()
        assert RefreshToken.objects.live().get().user == alice

    @pytest.mark.parametrize(
        ("location", "leads"),
        [
            ("done", "/redirect-after-login/done"),
            ("home", "/redirect-after-login/home"),
            ("?step=2", "/redirect-after-login/?step=2"),
            ("//elsewhere.example/", "//elsewhere.example/"),
        ],
    )
    def test_it_goes_on_where_the_browser_would_have_gone(self, secret, location, leads):
        client = Client()
        client.get("/redirect-after-login/", {"location": location})
        response = client.post(SECOND_FACTOR, {"code": pyotp.TOTP(secret).now()})
        assert (response.status_code, response.url) == (302, leads)


@pytest.fixture
def reset_by_mail():
    """Choose a new password by the link in a mail; return the browser."""

    def reset_by_mail(user):
        link = [urlsafe_base64_encode(str(user.pk).encode()), reset_tokens.make_token(user)]
        client = Client()
        form = client.get(reverse("password_reset_confirm", args=link)).url
        password = "another horse battery"
        assert client.post(form, {"new_password1": password, "new_password2": password}).status_code == 302
        return client

    return reset_by_mail


def test_whoever_reads_the_mailbox_cannot_have_each_reset_pass_for_a_browser_with_guesses_of_its_own(
    bob, secret, reset_by_mail
):
    """The codes of one account share a limit, except in browsers in which its owner has shown one (throttle.py)."""
    assert settings.DEVICE_COOKIE_NAME not in reset_by_mail(bob).cookies


def test_a_stranger_with_a_factor_gets_no_email_confirmed_by_its_owner(bob, secret, reset_by_mail):
    """The stranger has signed up with the email of somebody else, who then says that they forgot their password."""
    assert bob.email_verified_at is None
    reset_by_mail(bob)
    bob.refresh_from_db()
    assert bob.email_verified_at is None


@pytest.fixture
def report(monkeypatch):
    """What Django would mail to the administrators of the failure of a view."""

    def report(client, url, sent, failing):
        monkeypatch.setattr(RecoveryCodeQuerySet, failing, None)
        response = client.post(url, sent)
        assert response.status_code == 500
        return ExceptionReporter(response.wsgi_request, *response.exc_info).get_traceback_text()

    return report


def test_a_report_of_an_error_has_none_of_the_codes(bob, secret, report):
    """Neither what was sent nor what the functions held."""
    (code, *_) = recovery_codes.renew(bob)
    client = Client(raise_request_exception=False)
    client.post(reverse("login"), {"username": "bob", "password": PASSWORD})
    told = report(client, SECOND_FACTOR, {"code": code}, "spend")
    assert "recovery_codes.py" in told and code not in told


@pytest.mark.parametrize(
    ("name", "sent", "failing"),
    [("confirm", {"proof-code": "ab-cdef-ghij-klmn-opqr"}, "unused"), ("recovery_codes", {}, "bulk_create")],
)
def test_nor_has_one_of_somebody_who_is_signed_in(bob, secret, report, monkeypatch, name, sent, failing):
    made = "ab-cdef-ghij-klmn-opqr"
    monkeypatch.setattr(recovery_codes, "b32encode", lambda _: made[2:].replace("-", "").encode())
    client = Client(raise_request_exception=False)
    client.post(reverse("login"), {"username": "bob", "password": PASSWORD})
    client.post(SECOND_FACTOR, {"code": pyotp.TOTP(secret).now()})
    told = report(client, reverse(name), sent, failing)
    assert "recovery_codes.py" in told and "cdefghij" not in told.replace("-", "")


def test_each_recovery_code_costs_one_hash_whatever_is_wrong_with_it(bob, hashes):
    used, other, *_ = recovery_codes.renew(bob)
    assert recovery_codes.spend(bob, used)
    for code in (used, f"{other[:2]}-aaaa-bbbb-cccc-dddd", "éé-aaaa-bbbb-cccc-dddd", other):
        hashes.clear()
        assert recovery_codes.looks_like(code) and recovery_codes.spend(bob, code) is (code == other)
        assert len(hashes) == 1, code


def test_ten_hashes_keep_no_lock_meanwhile(secret, hashes, monkeypatch):
    """On SQLite it would be everybody's."""
    client = Client()
    client.post(reverse("login"), {"username": "bob", "password": PASSWORD})
    client.post(SECOND_FACTOR, {"code": pyotp.TOTP(secret).now()})
    hashes.clear()
    hashed = []
    locking = locks.lock_for_update
    monkeypatch.setattr(locks, "lock_for_update", lambda key: hashed.append(len(hashes)) or locking(key))
    assert client.post(reverse("recovery_codes")).status_code == 200
    assert hashed == [10] and len(hashes) == 10


def test_nobody_gets_hold_of_the_id_of_anothers_passkey(alice, bob, sign_in, enrol, authenticator, monkeypatch):
    """Whoever has the password of an account learns these ids."""
    sign_in(client := Client(), bob)
    enrol(client)
    [credential] = authenticator.credentials
    hers = replace(authenticator, credentials=[])
    monkeypatch.setattr("tests.factors.authenticator.secrets.token_bytes", lambda length: credential.id)
    sign_in(thief := Client(), alice)
    assert b"didn&#x27;t work" in enrol(thief, hers).content
    assert Passkey.objects.get().user == bob
    response = hers.get(options(page := Client().get(reverse("login"))))
    assert Client().post(reverse("passkey_login"), {"response": response}).status_code == 200
    response = authenticator.get(options(page))
    assert Client().post(reverse("passkey_login"), {"response": response}).status_code == 302


class TestEnrolmentIsThrottled:
    @pytest.fixture(autouse=True)
    def few(self, monkeypatch):
        monkeypatch.setattr(limits, "ENROLMENT", replace(limits.ENROLMENT, account=Rate(1, 60, 60, 60)))

    @pytest.fixture
    def client(self, sign_in, bob):
        client = Client()
        sign_in(client, bob)
        return client

    def test_of_apps(self, bob, client):
        secret = totp.new_secret()
        form = {
            "secret": totp.encrypt(secret, until_confirmed_by=bob),
            "code": pyotp.TOTP(secret).now(),
        }
        assert client.post(reverse("authenticator"), form).status_code == 302
        client.post(reverse("authenticator_remove"))
        assert client.post(reverse("authenticator"), form).status_code == 429
        assert not Authenticator.objects.exists()

    def test_of_recovery_codes_which_cost_ten_hashes(self, bob, client, monkeypatch):
        Authenticator.objects.create(user=bob, secret=totp.encrypt(totp.new_secret()))
        monkeypatch.setattr(hashers, "queue", hashers.HashQueue(0))
        other = HttpRequest()
        hashers.queue.join(other, 1.0)
        assert client.post(reverse("recovery_codes")).status_code == 503
        hashers.queue.leave(other)
        assert client.post(reverse("recovery_codes")).status_code == 200
        codes = set(RecoveryCode.objects.values_list("code_hash"))
        assert client.post(reverse("recovery_codes")).status_code == 429
        assert set(RecoveryCode.objects.values_list("code_hash")) == codes
