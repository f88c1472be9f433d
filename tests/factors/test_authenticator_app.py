"""Set an authenticator app up, and remove it."""

import re
from datetime import timedelta
from io import StringIO

import pyotp
import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from accounts.factors import recovery_codes, totp
from accounts.models import Authenticator, RecoveryCode, SecurityEvent, TrustedBrowser, User
from accounts.security import limits
from accounts.security.rate_limit import Rate
from tests.factors.conftest import SECOND_FACTOR, SECURITY, give_password, is_signed_in
from tokens.models import RefreshToken
from tokens.testing import Client

Kind = SecurityEvent.Kind


class TestAuthenticator:
    @pytest.fixture
    def signed_in(self, sign_in):
        """Return a browser in which somebody without a factor is signed in."""

        def signed_in(user):
            client = Client()
            sign_in(client, user)
            return client

        return signed_in

    def set_up(self, client):
        response = client.get(reverse("authenticator"))
        assert "no-store" in response["Cache-Control"]
        page = response.content.decode()
        encrypted = re.search(r'name="secret" value="([^"]+)"', page)[1]
        secret = totp.decrypt(encrypted, until_confirmed_by=User.objects.get(username="bob"))
        assert " ".join(re.findall("....", secret)) in page and "<svg" in page
        return client.post(reverse("authenticator"), {"secret": encrypted, "code": pyotp.TOTP(secret).now()}), secret

    def test_the_first_one_ends_the_other_sessions_and_leads_to_the_codes(self, bob, signed_in, clock):
        here, there = signed_in(bob), signed_in(bob)
        response, _ = self.set_up(here)
        assert response.url == reverse("recovery_codes")
        assert is_signed_in(here) and not is_signed_in(there)
        assert RefreshToken.objects.live().get().amr == "pwd otp mfa"
        assert SecurityEvent.objects.filter(user=bob, kind=Kind.AUTHENTICATOR_ADDED).count() == 1

    def test_its_secret_is_stored_encrypted_and_survives_a_new_key(self, bob, signed_in, settings, clock):
        _, secret = self.set_up(signed_in(bob))
        stored = Authenticator.objects.get().secret
        assert secret not in stored
        settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another key of fifty letters"
        assert totp.decrypt(stored) == secret
        fallbacks, settings.SECRET_KEY_FALLBACKS = settings.SECRET_KEY_FALLBACKS, []
        assert totp.decrypt(stored) is None
        assert not totp.spend(bob, pyotp.TOTP(secret).at(timezone.now() + timedelta(seconds=30)))
        settings.SECRET_KEY_FALLBACKS = fallbacks
        for done in (1, 0):
            out = StringIO()
            call_command("tidyaccounts", stdout=out)
            assert f"{done} secrets of authenticator apps encrypted anew" in out.getvalue()
        settings.SECRET_KEY_FALLBACKS = []
        assert totp.spend(bob, pyotp.TOTP(secret).at(timezone.now() + timedelta(seconds=30)))

    @pytest.mark.parametrize("sent", [{"secret": "forged", "code": "123456"}, {"secret": "", "code": ""}, {}])
    def test_a_form_that_was_tampered_with_is_shown_anew(self, bob, signed_in, sent):
        assert signed_in(bob).post(reverse("authenticator"), sent).status_code == 200
        assert not Authenticator.objects.exists()

    def test_the_codes_are_shown_once_and_kept_by_no_cache(self, bob, secret, now):
        client = Client()
        give_password(client)
        client.post(SECOND_FACTOR, {"code": now()})
        response = client.post(reverse("recovery_codes"))
        codes = re.findall(r"<code>([^<]+)</code>", response.content.decode())
        assert len(codes) == 10 and "no-store" in response["Cache-Control"]
        assert codes[0] not in client.get(reverse("recovery_codes")).content.decode()
        assert recovery_codes.spend(bob, codes[0])

    def test_there_is_a_limit_to_how_often_codes_are_made(self, secret, now, monkeypatch):
        client = Client()
        give_password(client)
        client.post(SECOND_FACTOR, {"code": now()})
        monkeypatch.setattr(limits, "ENROLMENT", limits.Limit("few", account=Rate(2, 60, 60, 600)))
        assert [client.post(reverse("recovery_codes"), {"n": n}).status_code for n in range(3)] == [200, 200, 429]

    def test_removing_the_last_factor_removes_what_is_of_no_use_without(self, bob, secret, now):
        client = Client()
        give_password(client)
        client.post(SECOND_FACTOR, {"code": now(), "trust": "on"})
        client.post(reverse("recovery_codes"))
        assert client.get(reverse("authenticator_remove")).status_code == 200
        assert client.post(reverse("authenticator_remove")).url == SECURITY
        assert not any(model.objects.exists() for model in (Authenticator, RecoveryCode, TrustedBrowser))
        assert give_password(Client()).status_code == 302
