"""An administrator starts the removal for somebody who asks them."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core import mail
from django.urls import reverse

from accounts.factors import removal
from accounts.models import Authenticator, FactorRemoval, SecurityEvent, User
from tests.accounts.mail_contents import link_in
from tests.factors.removal.conftest import has_factor
from tokens.testing import Client

Kind = SecurityEvent.Kind


class TestByAnAdministrator:
    """With the permission and a reason; nobody of their own rank or above, and the mails cancel it as well."""

    USERS = reverse("admin:accounts_user_changelist")

    @pytest.fixture
    def helper(self, bob, secret, alice, sign_in):
        """`helper(**more)`: what Alice of the help desk gets who has the action done to Bob."""
        User.objects.filter(pk=alice.pk).update(is_staff=True, is_superuser=False)
        names = ["view_user", "change_user", "remove_factors_user"]
        alice.user_permissions.set(Permission.objects.filter(codename__in=names))
        sign_in(client := Client(), alice)

        def helper(**more):
            fields = {"action": "remove_factors", "_selected_action": str(bob.pk), "confirmed": "yes", **more}
            return client.post(self.USERS, fields)

        return helper

    def test_asks_for_a_reason_which_is_kept_and_names_the_actor(self, bob, alice, helper, committing):
        User.objects.filter(pk=bob.pk).update(email_verified_at=None)
        for reason in ({}, {"reason": "  "}):
            assert b'name="reason"' in helper(**reason).content
        assert not FactorRemoval.objects.exists()
        with committing():
            assert helper(reason="[They showed\n their passport]").status_code == 302
        assert FactorRemoval.objects.get().actor == alice
        assert LogEntry.objects.get().get_change_message() == "They showed their passport]", "and no JSON of Django's"
        event = SecurityEvent.objects.get(kind=Kind.FACTOR_REMOVAL_STARTED)
        assert (event.user, event.actor) == (bob, alice)
        assert event.label_by_admin == "An administrator started the removal of your second step"
        assert "An administrator started this." in mail.outbox[-1].body and "127.0.0.1" not in mail.outbox[-1].body
        assert has_factor(bob)

    def test_is_offered_where_there_is_a_factor_and_starts_once(self, bob, helper, clock):
        helper(reason="x")
        due = FactorRemoval.objects.get().due_at
        clock.shift(60)
        helper(reason="x")
        assert FactorRemoval.objects.get().due_at == due
        Authenticator.objects.all().delete()
        FactorRemoval.objects.all().delete()
        helper(reason="x")
        assert not FactorRemoval.objects.exists()

    @pytest.mark.parametrize("rank", ["is_staff", "is_superuser"])
    def test_never_upward(self, bob, helper, rank):
        User.objects.filter(pk=bob.pk).update(**{rank: True})
        helper(reason="x")
        assert not FactorRemoval.objects.exists()

    def test_outlives_a_password_that_they_had_forgotten_too(self, bob, helper, committing, client, press):
        with committing():
            helper(reason="x")
        keep = link_in(mail.outbox[-1], "accounts/second-factor")
        assert not removal.withdraw(None, bob)
        assert FactorRemoval.objects.exists()
        press(keep)
        assert not FactorRemoval.objects.exists()
