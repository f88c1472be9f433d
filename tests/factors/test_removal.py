"""Whoever has lost every factor gets back in after three days, unless anybody objects; and recovery wins."""

from datetime import timedelta
from functools import partial

import pyotp
import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core import mail
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from accounts.email.tokens import undo_token
from accounts.factors import recovery_codes, removal, totp
from accounts.models import (
    Authenticator,
    EmailVerification,
    FactorRemoval,
    OutgoingMail,
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
from tests.tokens.racing import together
from tokens.models import RefreshToken
from tokens.testing import Client

Kind = SecurityEvent.Kind
LOST = reverse("factors_lost")
KEEP = reverse("factors_keep")
BANNER = "Your second step will soon be removed."
NEW = "another horse battery"


@pytest.fixture
def committing(django_capture_on_commit_callbacks):
    return partial(django_capture_on_commit_callbacks, execute=True)


@pytest.fixture
def clock():
    with time_machine.travel(timezone.now().replace(second=15, microsecond=0), tick=False) as clock:
        yield clock


@pytest.fixture
def secret(bob, clock):
    """What Bob's app and we know; he has confirmed his email."""
    User.objects.filter(pk=bob.pk).update(email_verified_at=timezone.now())
    bob.refresh_from_db()
    secret = totp.new_secret()
    Authenticator.objects.create(user=bob, secret=totp.encrypt(secret))
    recovery_codes.renew(bob)
    return secret


def give_password(client=None, password=PASSWORD):
    client = client or Client()
    client.answer = client.post(reverse("login"), {"username": "bob", "password": password})
    return client


@pytest.fixture
def owner(bob, secret):
    """A browser in which Bob has signed in with his app."""
    client = give_password()
    client.post(reverse("second_factor"), {"code": pyotp.TOTP(secret).now()})
    assert RefreshToken.objects.live().count() == 1
    return client


@pytest.fixture
def ask(secret, committing):
    """`ask()`: the link that comes by mail to whoever gives the password and has lost the rest."""

    def ask():
        client = give_password()
        assert client.get(LOST).status_code == 200
        with committing():
            assert client.post(LOST).url == reverse("second_factor")
        return link_in(mail.outbox[-1], "accounts/second-factor")

    return ask


@pytest.fixture
def press(committing):
    """`press(link)`: what a new browser sees after the button of the page that the link leads to."""

    def press(link):
        client = Client()
        page = client.get(link, follow=True)
        with committing():
            return client.post(page.request["PATH_INFO"], follow=True).content.decode()

    return press


@pytest.fixture
def reset_by_mail(bob, committing):
    """`reset_by_mail(password)`: what a new browser sees in which Bob has followed the link to a new password."""

    def reset_by_mail(password):
        client = Client()
        with committing():
            client.post(reverse("password_reset"), {"email": bob.email})
        form = client.get(link_in(mail.outbox[-1])).headers["Location"]
        with committing():
            page = client.post(form, {"new_password1": password, "new_password2": password}, follow=True)
        return page.content.decode()

    return reset_by_mail


@pytest.fixture
def started(ask, press):
    """Started by the link; the mail that was sent then is the last one."""
    assert "We&#x27;ll remove your second step on" in press(ask())
    return FactorRemoval.objects.select_related("user").get()


def has_factor(user):
    return any(model.objects.filter(user=user).exists() for model in (Authenticator, RecoveryCode, TrustedBrowser))


def kinds(user):
    return [*SecurityEvent.objects.filter(user=user).order_by("pk").values_list("kind", flat=True)]


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
