"""Whoever controls the mailbox gets the account back, whatever a thief who knows the password asked for meanwhile."""

from datetime import timedelta

import pytest
from django.core import mail
from django.core.management import call_command
from django.db.models import F
from django.utils import timezone

from accounts.account import deletion
from accounts.mails import alerts, worker
from accounts.models import EmailVerification, SecurityEvent, User
from accounts.models.email_verification import UNDO_LIFETIME
from tests.accounts.conftest import FIREFOX
from tests.accounts.mail_contents import link_in
from tests.conftest import PASSWORD
from tokens.models import RefreshToken
from tokens.testing import Client

OWNERS, THIEFS = "bob@example.org", "thief@example.org"
NEW = "another " + PASSWORD
STAYS = "We cancelled the deletion of your account."
RENAMED = "Your user name changed shortly before your email address did."
Kind = SecurityEvent.Kind


@pytest.fixture
def bob(bob):
    User.objects.filter(pk=bob.pk).update(email_verified_at=timezone.now())
    bob.refresh_from_db()
    return bob


class Thief:
    """A browser in which somebody has signed in by Bob's password; each of its acts sends its mails."""

    def __init__(self, bob, committing, sign_in, using):
        self.bob, self.committing, self.sign_in, self.using = bob, committing, sign_in, using
        self.browser = using(FIREFOX)
        sign_in(self.browser, bob)

    def post(self, path, **fields):
        with self.committing():
            return self.browser.post(path, fields)

    def ask_for_another_address(self, email=THIEFS):
        self.post("/accounts/email/", email=email)
        return mail.outbox[-1]

    def change_address(self, email=THIEFS):
        with self.committing():
            follow(self.ask_for_another_address(email))

    def change_username(self):
        self.post("/accounts/username/", username="mallory")

    def change_password(self):
        self.post("/accounts/password/change/", old_password=PASSWORD, new_password1=NEW, new_password2=NEW)

    def delete(self):
        self.post("/accounts/delete/")


@pytest.fixture
def thief(bob, committing, sign_in, using):
    thief = Thief(bob, committing, sign_in, using)
    mail.outbox.clear()
    return thief


def follow(message):
    """Open the link of a mail in a new browser, and press the button."""
    browser = Client()
    return browser.post(browser.get(link_in(message, "accounts/email")).headers["Location"], follow=True)


@pytest.fixture
def undo(committing):
    """`undo()`: what the owner sees who follows the first link to undo that came to their mailbox."""

    def undo():
        message = next(each for each in mail.outbox if each.to == [OWNERS] and "/undo/" in each.body)
        with committing():
            return follow(message).content.decode()

    return undo


@pytest.fixture
def ask_reset(committing):
    """`ask_reset()`: the link that the owner gets."""

    def ask_reset():
        with committing():
            Client().post("/accounts/password/reset/", {"email": OWNERS})
        return link_in(mail.outbox[-1])

    return ask_reset


@pytest.fixture
def reset(committing):
    """`reset(link)`: what the owner sees who chooses a new password by it."""

    def reset(link):
        browser = Client()
        form = browser.get(link).headers["Location"]
        with committing():
            chosen = "chosen by the owner"
            response = browser.post(form, {"new_password1": chosen, "new_password2": chosen}, follow=True)
        return response.content.decode()

    return reset


def mails_to(email):
    return [message.subject for message in mail.outbox if message.to == [email]]


class TestUndo:
    def test_withdraws_the_deletion_the_pending_change_and_the_name_and_says_so(self, thief, bob, undo):
        thief.change_address()
        thief.change_username()
        thief.ask_for_another_address("thief@elsewhere.example")
        thief.delete()
        page = undo()
        bob.refresh_from_db()
        assert (bob.email, bob.username, bob.deletion_due_at) == (OWNERS, "bob", None)
        assert not EmailVerification.objects.pending().exists()
        assert not RefreshToken.objects.live().exists()
        said = (
            STAYS,
            "We cancelled a pending change of your email address.",
            "You have your previous user name back.",
        )
        for sentence in said:
            assert sentence in page
            assert sentence in mail.outbox[-1].body
        assert SecurityEvent.objects.filter(kind=Kind.DELETION_WITHDRAWN, user=bob).exists()

    def test_says_nothing_of_what_nobody_asked_for(self, thief, undo):
        thief.change_address()
        assert STAYS not in (page := undo()) and RENAMED not in page

    def test_asks_whether_a_name_of_shortly_before_is_the_owners(self, thief, bob, undo):
        """It may be; and whoever has changed it may have signed up with the old one meanwhile."""
        thief.change_username()
        thief.change_address()
        assert RENAMED in undo() and RENAMED in mail.outbox[-1].body
        bob.refresh_from_db()
        assert bob.username == "mallory"

    @pytest.mark.parametrize("why", ["long ago", "by an administrator"])
    def test_asks_nothing_about_a_name_of(self, thief, bob, alice, undo, why):
        about = {"actor": alice} if why == "by an administrator" else {"created_at": timezone.now() - UNDO_LIFETIME}
        SecurityEvent.objects.record(None, bob, Kind.USERNAME_CHANGED, **about)
        thief.change_address()
        assert RENAMED not in undo()

    def test_is_final_for_the_thief(self, thief, bob, undo):
        thief.change_address()
        undo()
        thief.delete()
        thief.change_username()
        bob.refresh_from_db()
        assert (bob.username, bob.deletion_due_at) == ("bob", None)

    def test_works_beside_a_second_account_that_has_the_name(self, thief, bob, undo):
        thief.change_address()
        thief.change_username()
        User.objects.create_user("bob", "x@example.org", PASSWORD)
        page = undo()
        bob.refresh_from_db()
        assert (bob.email, bob.username) == (OWNERS, "mallory")
        assert "You have your previous user name back." not in page

    def test_works_after_a_reset_by_the_thief(self, thief, bob, undo, reset, committing):
        thief.change_address()
        with committing():
            Client().post("/accounts/password/reset/", {"email": THIEFS})
        reset(link_in(mail.outbox[-1]))
        undo()
        bob.refresh_from_db()
        assert (bob.email, bob.check_password("chosen by the owner")) == (OWNERS, False)


class TestReset:
    @pytest.mark.parametrize("asked_first", [True, False])
    def test_withdraws_the_deletion_and_says_so(self, thief, bob, ask_reset, reset, asked_first):
        if asked_first:
            link = ask_reset()
            thief.delete()
        else:
            thief.delete()
            link = ask_reset()
        page = reset(link)
        bob.refresh_from_db()
        assert bob.deletion_due_at is None
        assert bob.check_password("chosen by the owner")
        assert STAYS in page
        assert STAYS in mail.outbox[-1].body

    def test_leaves_the_undo_of_the_address_before_as_it_was(self, thief, bob, undo, reset, committing):
        """Or a thief could cancel it by a reset of their own."""
        thief.change_address()
        with committing():
            Client().post("/accounts/password/reset/", {"email": THIEFS})
        reset(link_in(mail.outbox[-1]))
        assert mails_to(OWNERS)[-1] == "Your password has changed"
        assert EmailVerification.objects.changes().count() == 1

    def test_a_link_from_before_the_address_was_changed_is_dead_and_the_undo_is_not(self, thief, bob, ask_reset, undo):
        link = ask_reset()
        thief.change_address()
        assert Client().get(link).context["dead"]
        undo()
        bob.refresh_from_db()
        assert bob.email == OWNERS


class TestDelete:
    def test_waits_for_every_undo_that_is_open(self, thief, bob, undo):
        thief.change_address()
        thief.delete()
        User.objects.update(deletion_due_at=timezone.now() - timedelta(days=1))
        call_command("tidyaccounts", verbosity=0)
        assert not deletion.delete(bob)
        undo()
        call_command("tidyaccounts", verbosity=0)
        assert User.objects.get(pk=bob.pk).email == OWNERS

    def test_goes_on_when_the_undo_is_over(self, thief, bob):
        thief.change_address()
        thief.delete()
        User.objects.update(deletion_due_at=timezone.now() - timedelta(days=1))
        EmailVerification.objects.update(confirmed_at=F("confirmed_at") - UNDO_LIFETIME - timedelta(minutes=1))
        call_command("tidyaccounts", verbosity=0)
        assert not User.objects.exists()

    def test_an_undo_is_over_before_a_deletion_that_is_asked_for_at_the_same_time(self):
        assert UNDO_LIFETIME < deletion.GRACE_PERIOD


class TestAlerts:
    @pytest.mark.parametrize(
        ("act", "subject"),
        [
            ("delete", "Your account is scheduled for deletion"),
            ("change_username", "Your user name has changed"),
            ("change_password", "Your password has changed"),
        ],
    )
    def test_go_to_each_address_that_can_undo_with_its_link(self, thief, bob, act, subject, undo):
        thief.change_address()
        mail.outbox.clear()
        getattr(thief, act)()
        assert mails_to(THIEFS) == mails_to(OWNERS) == [subject]
        undo()  # by the link of this very mail
        bob.refresh_from_db()
        assert bob.email == OWNERS

    def test_of_a_second_change_go_to_the_first_address_too(self, thief):
        thief.change_address()
        mail.outbox.clear()
        thief.change_address("thief@elsewhere.example")
        assert mails_to(OWNERS) == mails_to(THIEFS) == ["Your email address has changed"]

    def test_go_to_nobody_who_can_undo_no_more(self, thief, bob):
        thief.change_address()
        bob.refresh_from_db()
        alerts.notify_all("password_changed", bob)
        EmailVerification.objects.update(confirmed_at=F("confirmed_at") - UNDO_LIFETIME - timedelta(minutes=1))
        alerts.notify_all("password_changed", bob)
        mail.outbox.clear()
        worker.send_due()
        assert (mails_to(OWNERS), len(mails_to(THIEFS))) == ([], 2)
