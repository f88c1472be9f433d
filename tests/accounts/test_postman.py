"""The postman: each mail comes, once, whatever the mail server does, and nobody waits for it."""

import threading
import time
from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import F
from django.utils import timezone

from accounts import letters, mails, postman
from accounts.models import OutgoingMail, User
from accounts.models.mail import FIRST_DELAY, KEPT_FOR, LEASE, LONGEST_DELAY
from tests.smtp import wait_until, words
from tests.tokens.racing import together


@pytest.fixture
def keep(bob):
    """`keep(*addresses)`: mails to them, which wait."""

    def keep(*addresses):
        for address in addresses or ["bob@example.org"]:
            mails.send("account_exists", bob, to=address)
        return list(OutgoingMail.objects.order_by("pk"))

    return keep


def come(span):
    """Let that much time pass for what waits."""
    OutgoingMail.objects.update(due_at=F("due_at") - span)


class TestDeliver:
    def test_the_longest_waiting_comes_first_and_over_one_connection(self, smtp, keep):
        addresses = [f"{n}@example.org" for n in range(5)]
        last, *_ = keep(*addresses)
        OutgoingMail.objects.exclude(pk=last.pk).update(due_at=timezone.now() - timedelta(minutes=1))

        assert postman.deliver() == 5
        assert [message["To"] for message in smtp.received] == [*addresses[1:], addresses[0]]
        assert smtp.connections == 1
        assert not OutgoingMail.objects.exists()

    def test_what_is_not_due_stays(self, smtp, keep):
        keep()
        OutgoingMail.objects.update(due_at=timezone.now() + timedelta(seconds=20))

        assert postman.deliver() == 0
        assert OutgoingMail.objects.count() == 1

    def test_a_mailbox_that_is_not_there_is_dropped_at_once_and_the_others_come(self, smtp, keep, caplog):
        smtp.refusals["gone@example.org"] = "550 gone@example.org is not here"
        keep("a@example.org", "gone@example.org", "b@example.org")

        assert postman.deliver() == 2
        assert [message["To"] for message in smtp.received] == ["a@example.org", "b@example.org"]
        assert not OutgoingMail.objects.exists()
        said = "The mail 'account_exists' to g…@example.org was refused for good and is dropped: refused with 550."
        assert caplog.messages == [said]
        assert "gone@" not in caplog.text

    def test_a_refusal_for_now_is_tried_again_and_the_others_come(self, smtp, keep, caplog):
        smtp.refusals["a@example.org"] = "450 Try again later"
        keep("a@example.org", "b@example.org")

        assert postman.deliver() == 1
        [mail] = OutgoingMail.objects.all()
        assert (mail.to, mail.attempts) == ("a@example.org", 1)
        assert caplog.messages == [
            "The mail 'account_exists' could not be sent. It is tried again in 30 s: refused with 450."
        ]
        smtp.refusals.clear()
        come(FIRST_DELAY)
        assert postman.deliver() == 1

    def test_a_server_that_ends_the_conversation_gets_the_next_mail_in_another_one(self, smtp, keep):
        smtp.refusals["a@example.org"] = "421 Enough for now"
        keep("a@example.org", "b@example.org")

        assert postman.deliver() == 1
        assert smtp.connections == 2
        assert OutgoingMail.objects.get().to == "a@example.org"

    def test_a_fault_of_ours_keeps_the_mail_and_stops_no_other(self, smtp, bob, keep, caplog):
        mails.send("no_such_kind", bob)
        keep()

        assert postman.deliver() == 1
        assert OutgoingMail.objects.get().kind == "no_such_kind"
        assert "TemplateDoesNotExist" in caplog.text

    @pytest.mark.parametrize("address", ["no address", "a@b@example.org", "a@example.org\nBcc: b@example.org", "@"])
    def test_what_is_no_address_is_dropped(self, smtp, keep, address):
        keep(address, "b@example.org")

        assert postman.deliver() == 1
        assert not OutgoingMail.objects.exists()

    def test_while_the_server_is_away_one_is_tried_and_the_others_wait(self, smtp, keep, caplog):
        smtp.die()
        keep("a@example.org", "b@example.org")

        assert postman.deliver() == 0
        assert [mail.attempts for mail in OutgoingMail.objects.order_by("pk")] == [1, 0]
        assert caplog.messages[0].endswith("It is tried again in 30 s: ConnectionRefusedError.")

    @pytest.mark.parametrize("command", ["EHLO", "DATA"])
    def test_a_server_that_hangs_costs_no_mail(self, smtp, keep, settings, command):
        smtp.hangs = command
        settings.EMAIL_TIMEOUT = 1
        keep()
        start = time.monotonic()

        assert postman.deliver() == 0
        assert time.monotonic() - start < 8
        smtp.hangs = ""
        come(FIRST_DELAY)
        assert postman.deliver() == 1

    def test_stops_between_two_mails(self, smtp, keep):
        keep("a@example.org", "b@example.org")

        assert postman.deliver(leaving=lambda: bool(smtp.received)) == 1
        assert OutgoingMail.objects.get().attempts == 0

    def test_whose_person_is_gone_is_dropped(self, smtp, bob, keep):
        keep()
        OutgoingMail.objects.update(user_id=uuid4())

        assert postman.deliver() == 0
        assert not OutgoingMail.objects.exists()

    def test_whose_person_is_deleted_goes_with_them(self, bob, keep):
        keep()
        bob.delete()

        assert not OutgoingMail.objects.exists()

    def test_a_mail_without_a_person_goes_to_its_address(self, smtp, db):
        mails.send("account_deleted", None, to="bob@example.org")

        assert postman.deliver() == 1
        assert words(smtp.received[0]).startswith("Hello,\n")


class TestRetry:
    def test_the_pause_doubles_up_to_an_hour(self, keep):
        [mail] = keep()
        pauses = []
        for _ in range(10):
            assert mail.claim()
            pauses.append(mail.put_off())

        assert pauses[:4] == [FIRST_DELAY, 2 * FIRST_DELAY, 4 * FIRST_DELAY, 8 * FIRST_DELAY]
        assert pauses[-3:] == [LONGEST_DELAY] * 3

    def test_after_a_week_it_is_dropped_and_the_log_says_so(self, smtp, keep, caplog):
        smtp.die()
        keep()
        OutgoingMail.objects.update(made_at=timezone.now() - KEPT_FOR + timedelta(hours=1))
        postman.deliver()
        assert OutgoingMail.objects.exists()
        OutgoingMail.objects.update(made_at=timezone.now() - KEPT_FOR)
        come(FIRST_DELAY)
        postman.deliver()

        assert not OutgoingMail.objects.exists()
        assert caplog.messages[-1].startswith("The mail 'account_exists' to b…@example.org was tried for a week and is")
        assert caplog.records[-1].levelname == "ERROR"


class TestClaim:
    def test_nobody_else_comes_near_it_until_the_lease_is_over(self, keep):
        [mail], [other] = keep(), list(OutgoingMail.objects.due())

        assert mail.claim()
        assert not other.claim()
        assert not OutgoingMail.objects.due().exists()
        come(LEASE)
        assert OutgoingMail.objects.due().get().claim()

    def test_whoever_lost_the_lease_moves_nothing(self, keep):
        [mail] = keep()
        mail.claim()
        come(LEASE)
        other = OutgoingMail.objects.due().get()
        other.claim()

        mail.put_off()
        assert OutgoingMail.objects.get().due_at == other.due_at

    @pytest.mark.django_db(transaction=True)
    def test_four_postmen_at_once_bring_each_mail_once(self, smtp, bob):
        addresses = [f"{n}@example.org" for n in range(24)]
        OutgoingMail.objects.bulk_create(
            OutgoingMail(kind="account_exists", user=bob, to=address, language="en") for address in addresses
        )

        assert sum(together([postman.deliver] * 4)) == 24
        assert sorted(message["To"] for message in smtp.received) == sorted(addresses)

    @pytest.mark.django_db(transaction=True)
    def test_a_server_that_dies_before_it_answers_gets_the_mail_again_under_one_name(self, smtp, bob):
        OutgoingMail.objects.bulk_create([OutgoingMail(kind="account_exists", user=bob, to=bob.email, language="en")])
        smtp.slow = 60
        together([postman.deliver, lambda: smtp.wait(1) and smtp.die()])
        smtp.slow = 0
        smtp.start()
        come(FIRST_DELAY)

        assert postman.deliver() == 1
        first, second = smtp.received
        assert first["Message-ID"] == second["Message-ID"]


@pytest.mark.django_db(transaction=True)
class TestPostman:
    @pytest.fixture
    def worker(self, monkeypatch):
        monkeypatch.setattr(postman, "wake", lambda: None)
        worker = postman.Postman()
        yield worker
        worker.stop()

    def test_comes_when_woken_and_lets_nobody_wait(self, smtp, keep, worker):
        smtp.hangs = "DATA"
        keep()
        start = time.monotonic()
        worker.wake()

        assert time.monotonic() - start < 5  # ten seconds is what the postman waits for an answer
        wait_until(lambda: smtp.connections)
        smtp.hangs = ""
        smtp.wait(1)
        wait_until(lambda: not OutgoingMail.objects.exists())

    def test_looks_by_itself_for_what_others_left(self, smtp, bob, worker, monkeypatch):
        monkeypatch.setattr(worker, "work", partial(worker.work, poll=0.1))
        worker.start()
        time.sleep(1)
        OutgoingMail.objects.bulk_create([OutgoingMail(kind="account_exists", user=bob, to="a@b.org", language="en")])

        smtp.wait(1)

    def test_outlives_the_database_and_says_so_once(self, smtp, keep, worker, monkeypatch, caplog):
        monkeypatch.setattr(worker, "work", partial(worker.work, poll=0.01))
        keep()
        move = "ALTER TABLE accounts_outgoingmail RENAME TO {}"
        with connection.cursor() as cursor:
            cursor.execute(move.format("elsewhere"))
            try:
                worker.start()
                wait_until(lambda: caplog.messages)
                time.sleep(1.2)
            finally:
                cursor.execute("ALTER TABLE elsewhere RENAME TO accounts_outgoingmail")

        smtp.wait(1)
        assert caplog.messages == ["The mails that wait cannot be read. They are kept, and looked for again."]

    def test_is_told_to_go_and_finishes_the_mail_in_hand(self, smtp, keep, worker):
        smtp.slow = 0.5
        keep("a@example.org", "b@example.org")
        worker.wake()
        smtp.wait(1)
        worker.stop()

        assert [mail.to for mail in OutgoingMail.objects.all()] == ["b@example.org"]
        assert len(smtp.received) == 1

    def test_starts_once(self, worker):
        together([worker.start] * 8)

        assert [thread.name for thread in threading.enumerate()].count("postman") == 1


def test_a_person_who_is_deactivated_meanwhile_gets_no_new_password(smtp, bob):
    mails.send("password_reset", bob)
    User.objects.update(is_active=False)

    assert postman.deliver() == 0
    assert not OutgoingMail.objects.exists()


def test_what_goes_to_nobody_is_made_all_the_same(smtp, db, monkeypatch):
    """Else the work that follows an asked reset would tell whether there is such a person."""
    made = []
    compose = letters.compose
    monkeypatch.setattr(letters, "compose", lambda mail: made.append(compose(mail)) or made[-1])
    mails.send("password_reset", None)

    assert postman.deliver() == 0
    [message] = made
    assert "http://testserver/accounts/password/reset/" in message.body
    assert not smtp.received
    assert not OutgoingMail.objects.exists()
