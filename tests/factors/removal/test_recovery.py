"""Recovery wins: whoever has the mailbox keeps the account, whatever factors a thief adds."""

from datetime import timedelta

import pytest
from django.core import mail
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from accounts.email.tokens import undo_token
from accounts.factors import recovery_codes, removal
from accounts.models import (
    Authenticator,
    EmailVerification,
    FactorRemoval,
    Passkey,
    RecoveryCode,
    SecurityEvent,
    TrustedBrowser,
    User,
)
from accounts.models.email_verification import UNDO_LIFETIME
from accounts.models.factors import REMOVAL_DELAY
from tests.accounts.mail_contents import link_in
from tests.conftest import PASSWORD
from tests.factors.removal.conftest import KEEP, LOST, NEW, give_password, has_factor, kinds
from tokens.models import RefreshToken
from tokens.testing import Client

Kind = SecurityEvent.Kind


class TestRecoveryWins:
    """A thief who has taken an account over adds factors of their own; the owner undoes the change of the address."""

    @pytest.fixture
    def change(self, bob):
        """`change()`: the link that the owner gets, now that the address is changed."""

        def change():
            made = EmailVerification.objects.create(
                user=bob, email="thief@example.org", previous_email=bob.email, previous_email_verified=True
            )
            made.confirmed_at = timezone.now()
            made.save()
            User.objects.filter(pk=bob.pk).update(email=made.email)
            return reverse("email_undo", args=[made.pk, undo_token(made)])

        return change

    @pytest.fixture
    def taken_over(self, secret, clock, change):
        """Return that link, where Bob has had a factor for a day."""
        clock.shift(timedelta(days=1))
        return change()

    def test_what_was_added_since_goes_and_what_was_there_stays(self, bob, taken_over, clock, press):
        old = Passkey.objects.create(
            user=bob, credential_id="old", public_key=b"", created_at=timezone.now() - timedelta(1)
        )
        clock.shift(60)
        Passkey.objects.create(user=bob, credential_id="thief", public_key=b"")
        TrustedBrowser.objects.create(user=bob, key="x", expires_at=timezone.now() + timedelta(days=30))
        page = press(taken_over)
        said = "We removed the second steps, recovery codes and trusted browsers that were added recently."
        assert said in page and said in mail.outbox[-1].body
        assert Passkey.objects.get() == old and Authenticator.objects.exists() and RecoveryCode.objects.count() == 10
        assert not TrustedBrowser.objects.exists()
        assert Kind.FACTORS_REMOVED in kinds(bob)

    def test_new_codes_and_another_app_of_the_thief_go(self, bob, taken_over, press):
        recovery_codes.renew(bob)
        Authenticator.objects.update(confirmed_at=timezone.now())
        press(taken_over)
        assert not has_factor(bob)

    @pytest.mark.parametrize("recent", [True, False])
    def test_the_first_factor_goes_that_was_added_shortly_before_and_no_older_one(
        self, bob, client, sign_in, enrol, clock, change, press, recent
    ):
        sign_in(client, bob)
        enrol(client)
        FactorRemoval.objects.create(user=bob, due_at=timezone.now() + REMOVAL_DELAY, only_mail_cancels=True)
        clock.shift(UNDO_LIFETIME + timedelta(minutes=-1 if recent else 1))
        assert ("We removed" in press(change())) is recent
        assert Passkey.objects.exists() is FactorRemoval.objects.exists() is not recent

    @pytest.mark.parametrize("replaced", [False, True])
    def test_another_goes_that_was_added_before_unless_it_has_replaced_the_owners(
        self, bob, secret, clock, change, press, replaced
    ):
        clock.shift(UNDO_LIFETIME)
        Passkey.objects.create(user=bob, credential_id="x", public_key=b"")
        if replaced:
            Authenticator.objects.all().delete()
        clock.shift(60)
        press(change())
        assert Passkey.objects.exists() is replaced
        assert Authenticator.objects.exists() is not replaced

    def test_says_nothing_where_nothing_was_added(self, taken_over, press):
        assert "We removed" not in press(taken_over)
        assert RecoveryCode.objects.count() == 10

    def test_a_removal_that_the_thief_has_started_is_cancelled(self, bob, taken_over, press):
        FactorRemoval.objects.create(user=bob, due_at=timezone.now() + REMOVAL_DELAY)
        assert "We cancelled the removal of your second step." in press(taken_over)
        assert not FactorRemoval.objects.exists()


class TestTheFirstFactorOfAThief:
    """A thief who knew the password has added it, and has a session; the owner has the mailbox."""

    @pytest.fixture
    def thief(self, bob, client, sign_in, enrol, clock):
        User.objects.filter(pk=bob.pk).update(email_verified_at=timezone.now())
        sign_in(client, bob)
        enrol(client)
        return client

    @pytest.fixture
    def lose(self, press, committing):
        """`lose()`: the owner asks by the password and the mailbox to have it removed; what the page says then."""

        def lose():
            there = give_password()
            with committing():
                there.post(LOST)
            return press(link_in(mail.outbox[-1], "accounts/second-factor"))

        return lose

    @pytest.fixture
    def wait(self, clock, committing):
        def wait():
            clock.shift(REMOVAL_DELAY)
            with committing():
                call_command("tidyaccounts", verbosity=0)

        return wait

    def test_goes_whatever_its_session_does(self, bob, thief, lose, wait, committing):
        assert "need to reset your password by email." in lose()
        assert "If that wasn't you, let us remove it" in mail.outbox[-1].body
        page = thief.get(KEEP).content.decode().partition("<main")[2].partition("</main")[0]
        assert "use the link in the emails" in page and "<button" not in page
        thief.post(KEEP)
        removal.drop(None, bob)
        change = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
        assert thief.post(reverse("password_change"), change).status_code == 302
        wait()
        assert not Passkey.objects.exists() and not RefreshToken.objects.live().exists()
        assert [give_password(password=known).answer.status_code for known in (PASSWORD, NEW)] == [200, 200]
        with committing():
            Client().post(reverse("password_reset"), {"email": bob.email})
        assert mail.outbox[-1].to == [bob.email]

    def test_goes_although_the_thief_has_asked_for_another_email(self, bob, thief, lose, press, committing):
        """The mails would go there, and one of their links keeps it until the week is over that an undo goes back."""
        asked = {"email": "thief@example.org"}
        with committing():
            thief.post(reverse("email_change"), asked)
        link = link_in(mail.outbox[-1], "accounts/email")
        lose()
        assert thief.post(reverse("email_change"), asked).url == thief.get(reverse("email_change")).url == KEEP
        press(link)
        bob.refresh_from_db()
        assert bob.email == "bob@example.org"

    def test_goes_although_the_owner_chooses_a_new_password_meanwhile(self, thief, lose, wait, clock, reset_by_mail):
        """A week after it was added any session could keep it, if its removal had to be asked for once more."""
        lose()
        clock.shift(timedelta(days=1))
        reset_by_mail(NEW)
        assert give_password(password=NEW).answer.url == reverse("second_factor")
        wait()
        assert not Passkey.objects.exists()
        assert give_password(password=NEW).answer.url == "/", "it is the mailbox's, and stays"

    def test_stays_if_the_mailbox_says_so(self, thief, lose, press):
        lose()
        assert "Your second step stays." in press(link_in(mail.outbox[-1], "accounts/second-factor"))
        assert not FactorRemoval.objects.exists()

    def test_is_like_any_other_after_a_week(self, thief, lose, wait, clock):
        clock.shift(UNDO_LIFETIME + timedelta(minutes=1))
        assert "Then your password is enough to sign in." in lose()
        wait()
        assert not Passkey.objects.exists()
        assert give_password().answer.status_code == 302
