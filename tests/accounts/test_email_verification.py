"""Links and codes that ask whether an address is an account's: what they do, and do once."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
from django.core import mail
from django.db.models import F
from django.utils import timezone

from accounts.email import verification as email_verification
from accounts.email.ownership import EmailTaken
from accounts.email.verification import RESEND_PAUSE
from accounts.mails import outbox, worker
from accounts.models import EmailVerification, OutgoingMail, SecurityEvent, User
from accounts.models.email_verification import CODE_LIFETIME, CODE_TRIES, LINK_LIFETIME, RETENTION, UNDO_LIFETIME
from tests.accounts.conftest import kinds, sent
from tests.accounts.mail_contents import code_in, link_in
from tests.conftest import PASSWORD
from tests.tokens.racing import together
from tokens.models import RefreshToken

Kind = SecurityEvent.Kind
NEW = "bob@new.example"
EARLIER = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def here(browser_of, bob):
    return browser_of(bob)


@pytest.fixture
def ask(here, bob, committing):
    """`ask(address)`: bob's browser asks, and the mail is read."""

    def ask(address=NEW, request=here):
        with committing():
            email_verification.start(request, bob, address)
        return mail.outbox[-1]

    return ask


@pytest.fixture
def change(ask, here, committing):
    """`change(address)`: asked and confirmed; the change, and what the address from before was told."""

    def change(address=NEW):
        ask(address)
        here.user.refresh_from_db()
        with committing():
            verification = email_verification.confirm_by_link(
                here, EmailVerification.objects.pending().get().pk, token_in(mail.outbox[-1])
            )
        here.user.refresh_from_db()
        return verification, mail.outbox[-1]

    return change


def refused():
    return pytest.raises(email_verification.InvalidLink)


def token_in(message):
    return link_in(message, "accounts/email").strip("/").rpartition("/")[2]


def turn_back(**by):
    """Make what was asked or confirmed so much older."""
    for field, ago in by.items():
        EmailVerification.objects.update(**{field: F(field) - ago})


class TestAsk:
    def test_writes_to_the_new_address_and_changes_nothing(self, ask, bob):
        ask()
        assert sent() == [("email_confirm", [NEW])]
        bob.refresh_from_db()
        assert bob.email == "bob@example.org"
        assert SecurityEvent.objects.get().kind == Kind.EMAIL_CHANGE_ASKED

    def test_makes_what_was_asked_before_void(self, ask, here):
        before = ask()
        key = EmailVerification.objects.get().pk
        ask("bob@newer.example")
        assert email_verification.find_by_link(key, token_in(before)) is None
        assert EmailVerification.objects.get().email == "bob@newer.example"

    def test_tells_the_owner_of_a_taken_address_and_nobody_else(self, ask, alice):
        assert "/confirm/" not in ask("ALICE@example.org").body
        assert sent() == [("email_taken", ["alice@example.org"])]

    def test_costs_the_same_whether_it_is_taken_or_not(self, browser_of, bob, alice, django_assert_num_queries):
        for address in (NEW, "alice@example.org"):
            with django_assert_num_queries(10):
                email_verification.start(browser_of(bob), bob, address)

    def test_is_done_already_in_the_browser_that_asked_for_the_same_just_now(self, ask, bob, browser_of, clock):
        ask()
        for request, mails in ((here := browser_of(bob), 2), (here, 2)):
            ask(request=request)
            assert len(sent()) == mails
        clock.shift(RESEND_PAUSE)
        ask(request=here)
        assert len(sent()) == 3

    def test_deletes_what_nobody_can_use_any_more(self, ask, alice):
        old, young = (
            EmailVerification.objects.create(user=alice, email=NEW, requested_at=timezone.now() - age)
            for age in (RETENTION, UNDO_LIFETIME)
        )
        ask()
        assert not EmailVerification.objects.filter(pk=old.pk).exists()
        assert EmailVerification.objects.filter(pk=young.pk).exists()

    def test_none_lies_in_the_database(self, ask, bob):
        message = ask()
        kept = str(list(EmailVerification.objects.values())) + str(list(OutgoingMail.objects.values()))
        assert token_in(message) not in kept
        assert code_in(message) not in kept


class TestTheMail:
    """It is written when it is sent, which may be long after it was asked for."""

    @pytest.fixture
    def late(self, here, bob, committing):
        """A mail that waits, since two hours."""
        with committing(execute=False):
            email_verification.start(here, bob, NEW)
        turn_back(requested_at=2 * LINK_LIFETIME)

    def send(self):
        worker.send_due()
        return mail.outbox[-1] if mail.outbox else None

    def test_has_its_whole_hour_from_when_it_leaves(self, late, here):
        message = self.send()
        assert email_verification.confirm_by_code(here, code_in(message)).email == NEW

    @pytest.mark.parametrize("change", [{"password_changed_at": EARLIER}, {"email": "elsewhere@example.org"}])
    def test_never_leaves_if_the_account_has_moved_on_by_then(self, late, change):
        User.objects.update(**change)
        assert self.send() is None

    def test_never_leaves_if_it_was_asked_for_anew(self, late, ask):
        ask("bob@newer.example")
        assert [message.to for message in mail.outbox] == [["bob@newer.example"]]


class TestConfirmByLink:
    def test_of_ones_own_address_says_so_and_is_no_change(self, ask, here, bob):
        message = ask("bob@example.org")
        assert EmailVerification.objects.get().previous_email == ""
        assert not SecurityEvent.objects.exists()
        email_verification.confirm_by_link(here, EmailVerification.objects.get().pk, token_in(message))
        bob.refresh_from_db()
        assert bob.email_verified_at is not None
        assert kinds() == [Kind.EMAIL_CONFIRMED]
        assert sent() == [("email_confirm", ["bob@example.org"])]

    def test_of_another_one_puts_it_in_place_tells_the_one_before_and_ends_no_session(
        self, change, bob, client, sign_in
    ):
        sign_in(client, bob)
        change()
        bob.refresh_from_db()
        assert (bob.email, bob.email_verified_at is not None) == (NEW, True)
        assert sent()[-1] == ("email_changed", ["bob@example.org"])
        assert kinds()[-1] == Kind.EMAIL_CHANGED
        assert RefreshToken.objects.live().count() == 1

    def test_works_once_and_with_the_token(self, ask, here):
        token, key = token_in(ask()), EmailVerification.objects.get().pk
        for wrong in ("", "x" * 43):
            with refused():
                email_verification.confirm_by_link(here, key, wrong)
        email_verification.confirm_by_link(here, key, token)
        with refused():
            email_verification.confirm_by_link(here, key, token)
        found = email_verification.find_by_link(key, token)
        assert (found.is_open, found.is_in_effect) == (False, True)
        assert email_verification.find_by_link(key, "x" * 43) is None

    def test_works_for_an_hour(self, ask, here):
        token, key = token_in(ask()), EmailVerification.objects.get().pk
        turn_back(requested_at=timedelta(minutes=59))
        assert email_verification.find_by_link(key, token).is_open
        turn_back(requested_at=timedelta(minutes=2))
        assert not email_verification.find_by_link(key, token).is_open
        with refused():
            email_verification.confirm_by_link(here, key, token)

    @pytest.mark.parametrize(
        "change", [{"password_changed_at": EARLIER}, {"email": "elsewhere@example.org"}, {"is_active": False}, None]
    )
    def test_does_nothing_once_the_account_has_moved_on(self, ask, here, bob, change):
        token, key = token_in(ask()), EmailVerification.objects.get().pk
        User.objects.update(**change) if change else bob.delete()
        with refused():
            email_verification.confirm_by_link(here, key, token)
        assert not User.objects.filter(email=NEW).exists()

    def test_an_address_that_was_taken_meanwhile_is_left_to_its_owner(self, ask, here, alice, bob):
        token, key = token_in(ask()), EmailVerification.objects.get().pk
        User.objects.filter(pk=alice.pk).update(email=NEW.upper())
        with pytest.raises(EmailTaken):
            email_verification.confirm_by_link(here, key, token)
        bob.refresh_from_db()
        assert (bob.email, bob.email_verified_at) == ("bob@example.org", None)


class TestConfirmByCode:
    def test_works_for_ten_minutes_and_the_link_for_longer(self, ask, here):
        message = ask()
        turn_back(requested_at=CODE_LIFETIME)
        with refused():
            email_verification.confirm_by_code(here, code_in(message))
        email_verification.confirm_by_link(here, EmailVerification.objects.get().pk, token_in(message))

    @pytest.mark.parametrize(("wrong", "good"), [(CODE_TRIES - 1, True), (CODE_TRIES, False)])
    def test_dies_of_five_wrong_tries_and_the_link_lives_on(self, ask, here, bob, wrong, good):
        message = ask()
        for _ in range(wrong):
            with refused():
                email_verification.confirm_by_code(here, "wrong")
        with nullcontext() if good else refused():
            email_verification.confirm_by_code(here, code_in(message))
        if not good:
            email_verification.confirm_by_link(here, EmailVerification.objects.get().pk, token_in(message))
        bob.refresh_from_db()
        assert bob.email == NEW

    def test_is_good_in_the_browser_that_asked_and_in_no_other_and_for_its_person(
        self, ask, here, browser_of, bob, alice
    ):
        right = code_in(ask())
        for other in (browser_of(bob), browser_of(alice), browser_of()):
            with refused():
                email_verification.confirm_by_code(other, right)
        here.user = alice
        with refused():
            email_verification.confirm_by_code(here, right)
        here.user = bob
        email_verification.confirm_by_code(here, right)


class TestUndo:
    def test_puts_the_address_back_and_lets_nobody_in(self, change, browser_of, bob, client, sign_in, committing):
        sign_in(client, bob)
        verification, told = change()
        with committing():
            email_verification.undo_change(browser_of(), verification.pk, token_in(told))
        bob.refresh_from_db()
        assert (bob.email, bob.email_verified_at is not None) == ("bob@example.org", True)
        assert not bob.check_password(PASSWORD)
        assert not RefreshToken.objects.live().exists()
        assert kinds()[-1] == Kind.EMAIL_RESTORED
        assert sent()[-2:] == [("email_restored", [NEW]), ("password_reset", ["bob@example.org"])]
        assert "your old password no longer works" in mail.outbox[-1].body
        assert "IP address" not in mail.outbox[-2].body  # of the owner, to a thief

    def test_gives_no_password_to_whoever_was_to_have_none(self, change, browser_of, bob, committing):
        verification, told = change()
        bob.set_unusable_password()
        User.objects.filter(pk=bob.pk).update(password=bob.password)
        mail.outbox.clear()
        with committing():
            email_verification.undo_change(browser_of(), verification.pk, token_in(told))
        before = bob.password
        bob.refresh_from_db()
        assert not bob.has_usable_password()
        assert bob.password != before
        assert sent() == [("email_restored", [NEW])]

    def test_works_although_the_thief_changed_the_password_and_the_address_again_and_back(
        self, change, browser_of, bob
    ):
        verification, told = change("thief@example.org")
        bob.set_password("the thief's")
        bob.save()
        second, to_thief = change("thief@elsewhere.example")
        email_verification.undo_change(browser_of(), second.pk, token_in(to_thief))
        email_verification.undo_change(browser_of(), verification.pk, token_in(told))
        bob.refresh_from_db()
        assert bob.email == "bob@example.org"

    def test_works_once_and_with_the_token(self, change, browser_of):
        verification, told = change()
        for key, token in ((verification.pk, ""), (verification.pk, "x" * 43), (UUID(int=0), token_in(told))):
            with refused():
                email_verification.undo_change(browser_of(), key, token)
        email_verification.undo_change(browser_of(), verification.pk, token_in(told))
        assert not email_verification.find_change(verification.pk, token_in(told)).is_undoable
        with refused():
            email_verification.undo_change(browser_of(), verification.pk, token_in(told))

    def test_works_for_seven_days(self, change, browser_of):
        verification, told = change()
        turn_back(confirmed_at=UNDO_LIFETIME - timedelta(minutes=1))
        assert email_verification.find_change(verification.pk, token_in(told)).is_undoable
        turn_back(confirmed_at=timedelta(minutes=1))
        assert not email_verification.find_change(verification.pk, token_in(told)).is_undoable
        with refused():
            email_verification.undo_change(browser_of(), verification.pk, token_in(told))

    def test_kills_what_the_thief_has_asked_for(self, change, ask, here, browser_of, bob):
        verification, told = change()
        stolen = ask("thief@example.org")
        key = EmailVerification.objects.pending().get().pk
        email_verification.undo_change(browser_of(), verification.pk, token_in(told))
        assert email_verification.find_by_link(key, token_in(stolen)) is None

    def test_kills_the_ways_back_to_the_addresses_of_a_thief_who_changed_it_to_and_fro(self, change, browser_of, bob):
        """The mail for the first change came to the thief's own mailbox second; the last one is the owner's again."""
        change("thief@example.org")
        between, to_thief = change("bob@example.org")
        last, to_bob = change("thief@elsewhere.example")
        assert to_thief.to == ["thief@example.org"]
        email_verification.undo_change(browser_of(), last.pk, token_in(to_bob))
        assert not email_verification.find_change(between.pk, token_in(to_thief)).is_undoable

    def test_an_address_that_was_only_typed_is_left_to_who_has_proved_it_since(self, change, browser_of, alice, bob):
        verification, told = change()
        User.objects.filter(pk=alice.pk).update(email="bob@example.org")
        with pytest.raises(EmailTaken):
            email_verification.undo_change(browser_of(), verification.pk, token_in(told))
        bob.refresh_from_db()
        assert (bob.email, bob.check_password(PASSWORD)) == (NEW, True)
        assert email_verification.find_change(verification.pk, token_in(told))


def test_a_reset_link_never_goes_where_the_account_was_before(bob, committing):
    with committing():
        outbox.enqueue("password_reset", bob)
        User.objects.filter(pk=bob.pk).update(email=NEW)
    assert not mail.outbox


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    """Several connections use a link or a code at the same moment."""

    def succeeded(self, calls, error):
        """Return how many got through; each of the others met the error."""

        def attempt(call):
            try:
                return bool(call())
            except error:
                return False

        return together([partial(attempt, call) for call in calls]).count(True)

    def test_a_link_used_by_several_does_its_work_once_and_so_does_the_way_back(self, here, browser_of, bob):
        email_verification.start(here, bob, NEW)
        for use, kind in (
            (email_verification.confirm_by_link, Kind.EMAIL_CHANGED),
            (email_verification.undo_change, Kind.EMAIL_RESTORED),
        ):
            key, token = EmailVerification.objects.get().pk, token_in(mail.outbox[-1])
            calls = [partial(use, browser_of(), key, token) for _ in range(4)]
            assert self.succeeded(calls, email_verification.InvalidLink) == 1
            assert SecurityEvent.objects.filter(kind=kind).count() == 1

    def test_two_people_who_want_one_address_do_not_both_get_it(self, browser_of, alice, bob):
        calls = []
        for person in (alice, bob):
            email_verification.start(browser_of(person), person, NEW)
            key, token = EmailVerification.objects.get(user=person).pk, token_in(mail.outbox[-1])
            calls.append(partial(email_verification.confirm_by_link, browser_of(), key, token))
        assert self.succeeded(calls, EmailTaken) == 1
        assert User.objects.filter(email=NEW).count() == 1

    def test_of_many_tries_at_once_five_count_and_no_more(self, here, bob):
        email_verification.start(here, bob, NEW)
        assert sum(together([EmailVerification.objects.all().use_attempt] * 12)) == CODE_TRIES
        assert EmailVerification.objects.get().tries == CODE_TRIES
