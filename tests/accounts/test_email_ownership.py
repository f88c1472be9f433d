"""Whose an email address is: a proof beats a claim, and a proof that was taken away is kept until the undo is over."""

from datetime import timedelta

import pytest
from django.core import mail
from django.db.models import F
from django.utils import timezone

from accounts.email import verification as email_verification
from accounts.email.ownership import EmailTaken, claim, find_owner, has_confirmed
from accounts.models import EmailVerification, User
from accounts.models.email_verification import UNDO_LIFETIME
from tests.accounts.mail_contents import link_in
from tests.conftest import PASSWORD
from tokens.testing import Client

BOBS, NEW = "bob@example.org", "thief@example.org"


@pytest.fixture
def bob(bob):
    User.objects.filter(pk=bob.pk).update(email_verified_at=timezone.now())
    bob.refresh_from_db()
    return bob


@pytest.fixture
def eve(db):
    """Has an account whose address is her own."""
    return User.objects.create_user("eve", "eve@example.org", PASSWORD, email_verified_at=timezone.now())


@pytest.fixture
def change(bob, browser_of, committing):
    """`change(user, email)`: asked for and confirmed; the mail to the address from before."""

    def change(user=bob, email=NEW):
        with committing():
            email_verification.start(browser_of(user), user, email)
        with committing():
            follow(mail.outbox.pop())
        user.refresh_from_db()
        return mail.outbox.pop()

    return change


def follow(message):
    """Open the link of a mail in a new browser, and press the button."""
    browser = Client()
    return browser.post(browser.get(link_in(message, "accounts/email")).headers["Location"], follow=True)


class TestHasConfirmed:
    def test_is_said_of_the_email_now_and_of_those_before_and_nobody_else_is_greeted_by_name(self, bob, eve, change):
        assert "Hello bob," in change().body  # to the one before
        User.objects.filter(pk=bob.pk).update(email_verified_at=None)
        bob.refresh_from_db()
        whose = {(user, email): has_confirmed(user, email) for user in (bob, eve) for email in (BOBS, NEW, eve.email)}
        assert {pair for pair, proved in whose.items() if proved} == {(bob, BOBS), (eve, eve.email)}


class TestFindOwner:
    def test_is_whoever_proved_it_and_nobody_who_typed_it(self, bob, eve):
        User.objects.create_user("mallory", BOBS, PASSWORD)
        assert find_owner("BOB@example.org").user == bob
        assert find_owner(BOBS, other_than=bob) is None
        User.objects.filter(pk=bob.pk).update(email_verified_at=None)
        assert find_owner(BOBS) is None

    def test_is_whoever_can_take_it_back_and_for_so_long(self, bob, eve, change):
        change()
        assert find_owner("BOB@example.org").user == bob
        assert find_owner(BOBS, other_than=bob) is None
        EmailVerification.objects.update(confirmed_at=F("confirmed_at") - UNDO_LIFETIME - timedelta(minutes=1))
        assert find_owner(BOBS) is None

    def test_an_address_that_was_only_typed_is_kept_for_nobody(self, eve, change):
        """Or a thief could keep strangers from theirs for a week."""
        mallory = User.objects.create_user("mallory", "stranger@example.org", PASSWORD)
        change(mallory, "mallory@example.org")
        assert find_owner("stranger@example.org") is None


class TestClaim:
    def test_gives_it_to_one_of_two_who_typed_it(self, db):
        first, second = (User.objects.create_user(name, BOBS, PASSWORD) for name in ("mallory", "bob"))
        claim(second, BOBS)
        assert User.objects.by_login(BOBS).first() == second
        with pytest.raises(EmailTaken):
            claim(first, BOBS)
        first.refresh_from_db()
        assert first.email_verified_at is None

    def test_leaves_what_is_kept_for_somebody_else(self, bob, eve, change):
        change()
        with pytest.raises(EmailTaken):
            claim(eve, BOBS)
        eve.refresh_from_db()
        assert eve.email == "eve@example.org"


class TestAThief:
    """Has moved the address of Bob's account to their own."""

    def sign_up(self, committing, name):
        fields = {"username": name, "email": BOBS, "password1": PASSWORD, "password2": PASSWORD}
        with committing():
            Client().post("/accounts/signup/", fields)
        return mail.outbox.pop()

    def assert_undone(self, told, bob):
        assert "is your email address again" in follow(told).content.decode()
        bob.refresh_from_db()
        assert (bob.email, bob.check_password(PASSWORD)) == (BOBS, False)

    def test_gets_nowhere_with_a_second_account_made_afterwards(self, bob, change, committing):
        told = change()
        warned = self.sign_up(committing, "mallory")
        assert (warned.to, warned.subject) == ([BOBS], "Someone tried to use your email address")
        assert User.objects.get(username="mallory").email_verified_at is None
        assert link_in(warned, "accounts/email") == link_in(told, "accounts/email")
        self.assert_undone(told, bob)

    def test_is_not_helped_by_one_that_was_made_before(self, bob, change, committing):
        """It holds the address unproved; and a new password for it by mail, which is Bob's to read, proves nothing."""
        mallory = User.objects.create_user("mallory", BOBS, PASSWORD)
        told = change()
        browser = Client()
        with committing():
            browser.post("/accounts/password/reset/", {"email": BOBS})
        form = browser.get(link_in(mail.outbox.pop())).headers["Location"]
        browser.post(form, {"new_password1": "another " + PASSWORD, "new_password2": "another " + PASSWORD})
        mallory.refresh_from_db()
        assert mallory.check_password("another " + PASSWORD) and mallory.email_verified_at is None
        self.assert_undone(told, bob)

    def test_cannot_give_it_to_another_account(self, bob, eve, change, browser_of, committing):
        told = change()
        with committing():
            email_verification.start(browser_of(eve), eve, BOBS)
        assert mail.outbox.pop().to == [BOBS]
        assert EmailVerification.objects.filter(user=eve, confirmed_at=None).exists()
        self.assert_undone(told, bob)

    def test_nor_by_a_link_that_was_sent_before(self, bob, eve, change, browser_of, committing):
        User.objects.filter(pk=bob.pk).update(email_verified_at=None)
        with committing():
            email_verification.start(browser_of(eve), eve, BOBS)
        before = mail.outbox.pop()
        User.objects.filter(pk=bob.pk).update(email_verified_at=timezone.now())
        bob.refresh_from_db()
        told = change()
        follow(before)
        eve.refresh_from_db()
        assert eve.email == "eve@example.org"
        self.assert_undone(told, bob)

    def test_leaves_the_address_to_bob_himself(self, bob, change):
        change()
        change(bob, BOBS)
        assert bob.email == BOBS


class TestWhoOnlyTypedIt:
    """Mallory signed up with the address of somebody who has no account yet."""

    @pytest.fixture(autouse=True)
    def mallory(self, sign_up):
        sign_up(username="mallory")
        return User.objects.get()

    def test_is_in_the_way_of_no_sign_up(self, sign_up, mallory):
        _, message = sign_up(username="ada")
        assert message.subject == "Confirm your email address"
        follow(message)
        ada = User.objects.get(username="ada")
        assert User.objects.by_login("ada@example.org").first() == ada
        mallory.refresh_from_db()
        assert mallory.email_verified_at is None and mallory.check_password(PASSWORD)

    def test_is_in_the_way_of_no_change(self, bob, change):
        change(bob, "ada@example.org")
        assert bob.email == "ada@example.org"

    def test_gets_nothing_once_somebody_else_has_proved_it(self, sign_up, bob, change):
        mallorys = mail.outbox[-1]
        change(bob, "ada@example.org")
        assert "Another account now uses this email address" in follow(mallorys).content.decode()
        assert find_owner("ada@example.org").user == bob


def test_an_administrator_gives_nobody_an_address_of_somebody_else(admin, bob, eve, change):
    change()
    page = admin.post("/admin/accounts/user/add/", {"username": "carol", "email": BOBS})
    assert "Another account already uses this email address." in page.content.decode()
