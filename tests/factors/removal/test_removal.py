"""Whoever has lost every factor gets back in after three days, unless anybody objects."""

from datetime import timedelta

import pyotp
import pytest
from django.core import mail
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from accounts.factors import removal
from accounts.models import (
    Authenticator,
    FactorRemoval,
    OutgoingMail,
    Passkey,
    RecoveryCode,
    SecurityEvent,
    TrustedBrowser,
    User,
)
from accounts.models.factors import REMOVAL_DELAY
from tests.accounts.mail_contents import link_in
from tests.factors.removal.conftest import KEEP, LOST, NEW, give_password, has_factor, kinds
from tests.tokens.racing import together
from tokens.models import RefreshToken
from tokens.testing import Client

Kind = SecurityEvent.Kind
BANNER = "Your second step will soon be removed."


class TestStart:
    def test_takes_the_password_and_the_mailbox_and_tells_at_once(self, bob, owner, started):
        assert started.due_at == timezone.now() + REMOVAL_DELAY
        subjects = [(message.to, message.subject) for message in mail.outbox[-2:]]
        assert subjects == [
            ([bob.email], "Have you lost your second step?"),
            ([bob.email], "We'll remove your second step"),
        ]
        assert [*kinds(bob)][-2:] == [Kind.FACTOR_REMOVAL_ASKED, Kind.FACTOR_REMOVAL_STARTED]
        assert has_factor(bob) and give_password().answer.status_code == 303

    def test_without_the_password_leads_to_the_sign_in(self, secret):
        assert Client().get(LOST).url == Client().post(LOST).url == reverse("login")
        assert not FactorRemoval.objects.exists()

    def test_needs_a_confirmed_email(self, bob, secret):
        User.objects.filter(pk=bob.pk).update(email_verified_at=None)
        client = give_password()
        assert "You never confirmed your email" in client.get(LOST).content.decode()
        client.post(LOST)
        assert not (FactorRemoval.objects.exists() or OutgoingMail.objects.exists() or mail.outbox)

    def test_the_link_is_dead_after_an_hour_or_with_another_password(self, bob, ask, press, clock):
        links = [ask()]
        clock.shift(timedelta(hours=1))
        assert "This link has expired" in press(links[0])
        links.append(ask())
        bob.set_password(NEW)
        bob.save(update_fields=["password"])
        for link in links:
            assert "This link doesn&#x27;t work" in press(link)
        assert not FactorRemoval.objects.started().exists()

    def test_the_link_starts_nothing_twice_and_looking_at_it_nothing(self, ask, press, clock):
        link = ask()
        Client().get(link, follow=True)
        assert not FactorRemoval.objects.started().exists()
        press(link)
        due = FactorRemoval.objects.get().due_at
        clock.shift(60)
        assert "You&#x27;ve used this link before" in press(link)
        assert FactorRemoval.objects.get().due_at == due

    def test_mails_are_counted(self, secret, committing):
        client = give_password()
        answers = [client.post(LOST).status_code for _ in range(6)]
        assert answers == [302] * 5 + [429]


class TestCancel:
    def test_any_session_cancels_by_one_click_and_is_told_at_once_and_at_the_sign_in(
        self, bob, owner, secret, started, clock, django_assert_num_queries, committing
    ):
        clock.shift(30)
        there = give_password()
        assert there.post(reverse("second_factor"), {"code": pyotp.TOTP(secret).now()}).url == KEEP
        there.get("/")
        with django_assert_num_queries(0):
            there.get("/")
        assert BANNER in owner.get("/").content.decode()
        assert owner.get(KEEP).status_code == 200
        RefreshToken.objects.update(authenticated_at=timezone.now() - timedelta(days=9))
        with committing():
            assert owner.post(KEEP).url == reverse("security")
        assert BANNER not in owner.get("/").content.decode()
        assert mail.outbox[-1].subject == "Removal of your second step cancelled"
        assert kinds(bob)[-1] == Kind.FACTOR_REMOVAL_CANCELLED
        assert owner.post(KEEP).url == owner.get(KEEP).url == reverse("security")

    def test_the_link_of_any_mail_does_even_with_another_password(self, bob, started, press, clock, committing):
        first = link_in(mail.outbox[-1], "accounts/second-factor")
        clock.shift(timedelta(days=1))
        with committing():
            call_command("tidyaccounts", verbosity=0)
        assert link_in(mail.outbox[-1], "accounts/second-factor") == first
        bob.set_password(NEW)
        bob.save(update_fields=["password"])
        assert "Your second step stays." in press(first)
        assert not FactorRemoval.objects.exists()
        assert "There&#x27;s nothing to cancel" in press(first)

    def test_the_link_that_starts_does_not_cancel_nor_the_other_way_round(self, started, press):
        token = removal.start_token(started)
        assert "nothing to cancel" in press(reverse("factors_keep_by_link", args=[started.pk, token]))
        FactorRemoval.objects.update(due_at=None)
        token = removal.cancel_token(started)
        assert "This link doesn" in press(reverse("factors_remove", args=[started.pk, token]))
        assert FactorRemoval.objects.filter(due_at=None).exists()

    def test_a_reset_by_mail_cancels_it_and_touches_no_factor(self, started, reset_by_mail):
        assert "We cancelled the removal of your second step." in reset_by_mail(NEW)
        assert not FactorRemoval.objects.exists()
        assert RecoveryCode.objects.count() == 10 and Authenticator.objects.exists()
        assert give_password(password=NEW).answer.url == reverse("second_factor")


class TestReminders:
    def test_go_out_daily_until_it_is_over(self, started, clock, committing):
        sent = []
        for _ in range(4):
            mail.outbox.clear()
            for _ in range(2):
                with committing():
                    call_command("tidyaccounts", verbosity=0)
            sent.append([message.subject for message in mail.outbox])
            clock.shift(timedelta(days=1))
        again = ["We'll remove your second step"]
        assert sent == [[], again, again, ["Second step removed"]]

    def test_that_wait_when_it_is_cancelled_are_not_sent(self, bob, started, rf, committing, clock):
        clock.shift(timedelta(days=1))
        call_command("tidyaccounts", verbosity=0)
        removal.cancel(rf.post("/"), bob)
        mail.outbox.clear()
        with committing():
            OutgoingMail.objects.create(kind="factors_changed", to="x@example.org", context={"change": Kind.SIGNED_IN})
        assert "We'll remove your second step" not in {message.subject for message in mail.outbox}


class TestCarryOut:
    def test_happens_when_the_person_comes_back(self, bob, owner, started, clock):
        TrustedBrowser.objects.create(user=bob, key="x", expires_at=timezone.now() + timedelta(days=30))
        clock.shift(REMOVAL_DELAY - timedelta(seconds=1))
        assert give_password().answer.url == reverse("second_factor")
        clock.shift(1)
        back = give_password()
        assert back.answer.url == KEEP and back.get(KEEP).url == reverse("security"), "where a new one is set up"
        assert not (has_factor(bob) or FactorRemoval.objects.exists())
        assert RefreshToken.objects.live().count() == 1, "the owner's is over"
        bob.refresh_from_db()
        assert not bob.factors_leaving
        assert Kind.FACTORS_REMOVED in kinds(bob)

    def test_happens_by_the_daily_command_without_them(self, bob, owner, started, clock, committing):
        Passkey.objects.create(user=bob, credential_id="x", public_key=b"")
        RefreshToken.objects.update(expires_at=timezone.now() + 2 * REMOVAL_DELAY)
        clock.shift(REMOVAL_DELAY)
        with committing():
            call_command("tidyaccounts", verbosity=0)
        assert not (has_factor(bob) or Passkey.objects.exists())
        assert {row.reason for row in RefreshToken.objects.all()} == {RefreshToken.Reason.FACTORS}
        assert "Second step removed" in mail.outbox[-1].body

    def test_is_no_more_once_it_was_cancelled(self, bob, started, rf, clock):
        clock.shift(REMOVAL_DELAY)
        assert removal.cancel(rf.post("/"), bob), "there was still time: nobody had come"
        assert not removal.carry_out(bob.pk)
        assert has_factor(bob)

    def test_what_nobody_followed_is_forgotten(self, ask, clock):
        ask()
        call_command("tidyaccounts", verbosity=0)
        assert FactorRemoval.objects.exists()
        clock.shift(timedelta(hours=1))
        call_command("tidyaccounts", verbosity=0)
        assert not FactorRemoval.objects.exists()


@pytest.mark.django_db(transaction=True)
class TestRaces:
    @pytest.mark.parametrize("_", range(3))
    def test_either_it_is_cancelled_and_they_stay_or_it_is_done(self, bob, secret, rf, _):
        FactorRemoval.objects.create(user=bob, due_at=timezone.now(), reminded_at=timezone.now())
        cancelled, *done = together(
            [lambda: removal.cancel(rf.post("/"), bob), *[lambda: removal.carry_out(bob.pk)] * 2]
        )
        assert [cancelled, *done].count(True) == 1
        assert has_factor(bob) is cancelled
        assert kinds(bob)[-1] == (Kind.FACTOR_REMOVAL_CANCELLED if cancelled else Kind.FACTORS_REMOVED)
