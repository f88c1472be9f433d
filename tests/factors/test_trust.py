"""A browser that its user trusts is not asked for the second factor, as long as that holds."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.test import RequestFactory
from django.urls import reverse

from accounts.account import deletion
from accounts.factors import totp
from accounts.models import Authenticator, SecurityEvent, TrustedBrowser, User
from tests.accounts.test_admin_actions import do
from tests.conftest import PASSWORD
from tests.factors.conftest import SECOND_FACTOR, give_password, is_signed_in
from tokens.models import RefreshToken
from tokens.signals import reuse_found
from tokens.testing import Client

Kind = SecurityEvent.Kind


class TestTrust:
    def test_a_trusted_browser_is_not_asked_and_another_is(self, bob, secret, now):
        client = Client()
        give_password(client)
        client.post(SECOND_FACTOR, {"code": now(), "trust": "on"})
        assert SecurityEvent.objects.filter(user=bob, kind=Kind.BROWSER_TRUSTED).count() == 1
        client.post(reverse("logout"))
        assert give_password(client).status_code == 302
        assert RefreshToken.objects.live().get().amr == "pwd rba"
        assert "in a browser you trust" in client.get(reverse("sessions")).content.decode()
        assert give_password(Client()).status_code == 303

    def test_it_ends_after_thirty_days_by_removal_and_with_the_password(self, bob, secret, now, clock):
        client = Client()
        give_password(client)
        client.post(SECOND_FACTOR, {"code": now(), "trust": "on"})
        TrustedBrowser.objects.update(password_version="another")
        assert give_password(client).status_code == 303
        TrustedBrowser.objects.update(password_version=bob.password_version)
        assert give_password(client).status_code == 302
        clock.shift(timedelta(days=30))
        assert give_password(client).status_code == 303

    @pytest.fixture
    def trusting(self, bob, now):
        """Return a browser in which Bob is signed in, and which he trusts."""

        def trusting(steps):
            client = Client()
            give_password(client)
            client.post(SECOND_FACTOR, {"code": now(steps), "trust": "on"})
            assert is_signed_in(client)
            return client

        return trusting

    def test_it_ends_where_all_sessions_do(self, trusting):
        client = trusting(0)
        assert "even in a browser you trust" in client.get(reverse("sessions_end_all")).content.decode()
        client.post(reverse("sessions_end_all"))
        assert give_password(client).status_code == 303

    def test_it_ends_where_all_others_do_and_not_where_this_one_goes_on(self, trusting):
        here, there = trusting(0), trusting(1)
        assert "even in a browser you trust" in here.get(reverse("sessions_end_others")).content.decode()
        here.post(reverse("sessions_end_others"))
        assert [give_password(client).status_code for client in (here, there)] == [302, 303]

    def test_it_ends_where_an_administrator_ends_all_sessions(self, alice, bob, sign_in, trusting):
        trusting(0)
        User.objects.filter(pk=alice.pk).update(is_staff=True, is_superuser=True)
        admin = Client()
        sign_in(admin, alice)
        do(admin, "end_sessions", bob)
        assert not TrustedBrowser.objects.exists()

    @pytest.mark.parametrize("whose", [{"user": "bob"}, {"all": True}])
    def test_it_ends_where_a_command_ends_all_sessions_but_not_where_it_ends_old_ones(self, bob, trusting, whose):
        client = trusting(0)
        call_command("endsessions", older_than=timedelta(0), verbosity=0)
        assert give_password(client).status_code == 302
        call_command("endsessions", **whose, verbosity=0)
        assert give_password(client).status_code == 303

    def test_it_ends_where_a_token_was_copied_as_it_may_have_been_copied_too(self, bob, trusting):
        trusting(0)
        reuse_found.send(RefreshToken, request=None, row=RefreshToken.objects.select_related("user").get(), count=1)
        assert not TrustedBrowser.objects.exists()

    def test_it_ends_with_a_request_to_delete_the_account(self, bob, trusting):
        trusting(0)
        deletion.schedule(RequestFactory().post("/"), bob)
        assert not TrustedBrowser.objects.exists()

    def test_it_is_one_persons(self, alice, bob, secret, now):
        client = Client()
        give_password(client)
        client.post(SECOND_FACTOR, {"code": now(), "trust": "on"})
        Authenticator.objects.create(user=alice, secret=totp.encrypt(totp.new_secret()))
        assert client.post(reverse("login"), {"username": "alice", "password": PASSWORD}).status_code == 303
