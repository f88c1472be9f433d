"""The worker: each mail comes, once, whatever the mail server does, and nobody waits for it; and `sendmails`."""

import os
import signal
import threading
from datetime import timedelta
from functools import partial
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F
from django.utils import timezone

from accounts.mails import messages as mail_messages
from accounts.mails import outbox
from accounts.mails import worker as mails_worker
from accounts.models import OutgoingMail, User
from accounts.models.outgoing_mail import FIRST_DELAY, LEASE, MAX_DELAY, RETENTION
from tests.smtp import wait_until
from tests.tokens.racing import together


@pytest.fixture
def keep(bob):
    """`keep(*addresses)`: mails to them, which wait."""

    def keep(*addresses):
        for address in addresses or ["bob@example.org"]:
            outbox.enqueue("account_exists", bob, to=address)
        return list(OutgoingMail.objects.order_by("pk"))

    return keep


def come(span):
    """Let that much time pass for what waits."""
    OutgoingMail.objects.update(due_at=F("due_at") - span)


class TestDeliver:
    def test_the_longest_waiting_comes_first_over_one_connection_and_what_is_not_due_stays(self, smtp, keep):
        last, *_, late = keep("last@example.org", "a@example.org", "b@example.org", "late@example.org")
        OutgoingMail.objects.exclude(pk=last.pk).update(due_at=timezone.now() - timedelta(minutes=1))
        OutgoingMail.objects.filter(pk=late.pk).update(due_at=timezone.now() + timedelta(hours=1))
        assert mails_worker.send_due() == 3
        assert [message["To"] for message in smtp.received] == ["a@example.org", "b@example.org", "last@example.org"]
        assert smtp.connections == 1
        assert OutgoingMail.objects.get() == late

    def test_a_mailbox_that_is_not_there_is_dropped_at_once_and_the_others_come(self, smtp, keep, caplog):
        smtp.refusals["gone@example.org"] = "550 gone@example.org is not here"
        keep("a@example.org", "gone@example.org", "b@example.org")
        assert mails_worker.send_due() == 2
        assert [message["To"] for message in smtp.received] == ["a@example.org", "b@example.org"]
        assert not OutgoingMail.objects.exists()
        assert caplog.messages == [
            "The mail 'account_exists' to g•••@example.org was refused for good and was dropped: rejected with 550."
        ]

    def test_a_mail_that_is_refused_once_it_is_there_is_dropped_by_a_5xx_and_tried_again_by_a_4xx(self, smtp, keep):
        smtp.refusals["DATA"] = "554 Spam"
        keep()
        assert mails_worker.send_due() == 0
        assert not OutgoingMail.objects.exists()
        smtp.refusals["DATA"] = "451 Try again later"
        keep()
        assert mails_worker.send_due() == 0
        assert OutgoingMail.objects.get().attempts == 1

    @pytest.mark.parametrize("command", ["EHLO", "MAIL"])
    def test_a_server_that_refuses_the_site_itself_counts_as_away(self, smtp, keep, command):
        smtp.refusals[command] = "554 Go away"
        keep("a@example.org", "b@example.org")
        assert mails_worker.send_due() == 0
        assert [mail.attempts for mail in OutgoingMail.objects.order_by("pk")] == [1, 0]
        smtp.refusals.clear()
        come(FIRST_DELAY)
        assert mails_worker.send_due() == 2

    def test_a_refusal_for_now_is_tried_again_and_the_others_come(self, smtp, keep, caplog):
        smtp.refusals["a@example.org"] = "450 Try again later"
        keep("a@example.org", "b@example.org")
        assert mails_worker.send_due() == 1
        [mail] = OutgoingMail.objects.all()
        assert (mail.to, mail.attempts) == ("a@example.org", 1)
        assert caplog.messages == [
            "The mail 'account_exists' could not be sent. The next attempt is in 30 s: rejected with 450."
        ]
        smtp.refusals.clear()
        come(FIRST_DELAY)
        assert mails_worker.send_due() == 1

    def test_a_server_that_ends_the_conversation_gets_the_next_mail_in_another_one(self, smtp, keep):
        smtp.refusals["a@example.org"] = "421 Enough for now"
        keep("a@example.org", "b@example.org")
        assert mails_worker.send_due() == 1
        assert smtp.connections == 2
        assert OutgoingMail.objects.get().to == "a@example.org"

    def test_a_fault_of_ours_keeps_the_mail_and_stops_no_other(self, smtp, bob, keep, caplog):
        outbox.enqueue("no_such_kind", bob)
        keep()
        assert mails_worker.send_due() == 1
        assert OutgoingMail.objects.get().kind == "no_such_kind"
        [line] = caplog.records
        assert (line.levelname, line.kind) == ("ERROR", "mail_failed")
        assert "TemplateDoesNotExist" in caplog.text
        come(FIRST_DELAY)
        mails_worker.send_due()
        assert caplog.records[-1].levelname == "INFO"

    def test_what_is_no_address_is_dropped(self, smtp, keep):
        keep("no address", "a@example.org\nBcc: b@example.org", "b@example.org")
        assert mails_worker.send_due() == 1
        assert not OutgoingMail.objects.exists()

    def test_while_the_server_is_away_one_is_tried_and_the_others_wait(self, smtp, keep, caplog):
        smtp.die()
        keep("a@example.org", "b@example.org")
        assert mails_worker.send_due() == 0
        assert [mail.attempts for mail in OutgoingMail.objects.order_by("pk")] == [1, 0]
        assert caplog.messages[0].endswith("The next attempt is in 30 s: ConnectionRefusedError.")
        mails_worker.send_due()  # the other one
        assert [line.kind for line in caplog.records if line.levelname == "ERROR"] == ["mail_server_unavailable"]

    @pytest.mark.parametrize("command", ["EHLO", "DATA"])
    def test_a_server_that_hangs_costs_no_mail(self, smtp, keep, settings, command):
        smtp.hangs = command
        smtp.use(settings, timeout=0.2)
        keep()
        assert mails_worker.send_due() == 0
        smtp.hangs = ""
        smtp.use(settings)
        come(FIRST_DELAY)
        assert mails_worker.send_due() == 1

    def test_whose_person_is_gone_or_has_no_use_for_it_is_dropped(self, smtp, bob, keep):
        keep()
        outbox.enqueue("password_reset", bob)
        User.objects.update(is_active=False)
        assert mails_worker.send_due() == 1  # the other one, by its kind
        keep()
        User.objects.filter(pk=bob.pk)._raw_delete("default")
        assert mails_worker.send_due() == 0
        assert not OutgoingMail.objects.exists()

    def test_a_mail_without_a_person_goes_to_its_address(self, smtp, db):
        outbox.enqueue("account_deleted", None, to="bob@example.org")
        assert mails_worker.send_due() == 1
        assert smtp.received[0]["To"] == "bob@example.org"


class TestRetry:
    def test_the_pause_doubles_up_to_an_hour(self, keep):
        [mail] = keep()
        pauses = []
        for _ in range(10):
            assert mail.claim()
            pauses.append(mail.postpone())
        assert pauses[:4] == [FIRST_DELAY, 2 * FIRST_DELAY, 4 * FIRST_DELAY, 8 * FIRST_DELAY]
        assert pauses[-3:] == [MAX_DELAY] * 3

    def test_after_a_week_it_is_dropped_and_the_log_says_so(self, smtp, keep, caplog):
        smtp.die()
        keep()
        OutgoingMail.objects.update(created_at=timezone.now() - RETENTION + timedelta(hours=1))
        mails_worker.send_due()
        assert OutgoingMail.objects.exists()
        OutgoingMail.objects.update(created_at=timezone.now() - RETENTION)
        come(FIRST_DELAY)
        mails_worker.send_due()
        assert not OutgoingMail.objects.exists()
        assert caplog.messages[-1].startswith("The mail 'account_exists' to b•••@example.org could not be sent for a")
        assert caplog.records[-1].kind == "mail_expired"


class TestClaim:
    def test_nobody_else_comes_near_it_until_the_lease_is_over_and_whoever_lost_it_moves_nothing(self, keep):
        [mail], [other] = keep(), list(OutgoingMail.objects.due())
        assert mail.claim()
        assert not other.claim()
        assert not OutgoingMail.objects.due().exists()
        come(LEASE)
        other = OutgoingMail.objects.due().get()
        assert other.claim()
        mail.postpone()
        assert OutgoingMail.objects.get().due_at == other.due_at

    @pytest.mark.django_db(transaction=True)
    def test_four_postmen_at_once_bring_each_mail_once(self, smtp, bob):
        addresses = [f"{n}@example.org" for n in range(24)]
        OutgoingMail.objects.bulk_create(
            OutgoingMail(kind="account_exists", user=bob, to=address, language="en") for address in addresses
        )
        assert sum(together([mails_worker.send_due] * 4)) == 24
        assert sorted(message["To"] for message in smtp.received) == sorted(addresses)

    @pytest.mark.django_db(transaction=True)
    def test_a_server_that_dies_before_it_answers_gets_the_mail_again_under_one_name(self, smtp, bob):
        OutgoingMail.objects.bulk_create([OutgoingMail(kind="account_exists", user=bob, to=bob.email, language="en")])
        smtp.slow = 60
        together([mails_worker.send_due, lambda: smtp.wait(1) and smtp.die()])
        smtp.slow = 0
        smtp.start()
        come(FIRST_DELAY)
        assert mails_worker.send_due() == 1
        first, second = smtp.received
        assert first["Message-ID"] == second["Message-ID"]


@pytest.mark.django_db(transaction=True)
class TestPostman:
    @pytest.fixture
    def worker(self, monkeypatch):
        """A worker that pauses for no time worth waiting; `went` grows by one with each look for mails."""
        monkeypatch.setattr(mails_worker, "notify", lambda: None)
        monkeypatch.setattr(mails_worker, "_pause", lambda: 0.01)
        worker = mails_worker.MailWorker()
        worker.went, run_once = [], worker._run_once
        monkeypatch.setattr(worker, "_run_once", lambda: run_once() or worker.went.append(1))
        monkeypatch.setattr(worker, "work", partial(worker.work, poll=0.01))
        yield worker
        worker.stop()

    def test_comes_when_woken_and_lets_nobody_wait(self, smtp, keep, worker):
        """Whoever waited for the answer would see it time out, and the mail put off."""
        smtp.hangs = "DATA"
        keep()
        worker.notify()
        wait_until(lambda: smtp.connections)
        smtp.hangs = ""
        smtp.wait(1)
        wait_until(lambda: not OutgoingMail.objects.exists())

    def test_looks_by_itself_for_what_others_left(self, smtp, bob, worker):
        worker.start()
        wait_until(lambda: worker.went)
        OutgoingMail.objects.bulk_create([OutgoingMail(kind="account_exists", user=bob, to="a@b.org", language="en")])
        smtp.wait(1)

    def test_outlives_the_database_and_says_so_once(self, smtp, keep, worker, caplog):
        keep()
        move = "ALTER TABLE accounts_outgoingmail RENAME TO {}"
        with connection.cursor() as cursor:
            cursor.execute(move.format("elsewhere"))
            try:
                worker.start()
                wait_until(lambda: len(worker.went) >= 3)
            finally:
                cursor.execute("ALTER TABLE elsewhere RENAME TO accounts_outgoingmail")
        smtp.wait(1)
        assert caplog.messages == ["The waiting mails cannot be read from the database. The worker will try again."]

    def test_is_told_to_go_and_finishes_the_mail_in_hand(self, smtp, keep, worker):
        smtp.slow = 0.3
        keep("a@example.org", "b@example.org")
        worker.notify()
        smtp.wait(1)
        worker.stop()
        assert [mail.to for mail in OutgoingMail.objects.all()] == ["b@example.org"]
        assert len(smtp.received) == 1

    def test_starts_once(self, worker):
        before = set(threading.enumerate())  # where a test before may have left one
        together([worker.start] * 8)
        assert [thread.name for thread in set(threading.enumerate()) - before].count("mail-worker") == 1


def test_what_goes_to_nobody_is_made_all_the_same(smtp, db, monkeypatch):
    """Else the work that follows an asked reset would tell whether there is such a person."""
    made = []
    compose = mail_messages.compose
    monkeypatch.setattr(mail_messages, "compose", lambda mail: made.append(compose(mail)) or made[-1])
    outbox.enqueue("password_reset", None)
    assert mails_worker.send_due() == 0
    [message] = made
    assert "http://testserver/accounts/password/reset/" in message.body
    assert not smtp.received
    assert not OutgoingMail.objects.exists()


def say(*words):
    out = StringIO()
    call_command("sendmails", *words, stdout=out)
    return out.getvalue().strip()


class TestOnce:
    def test_sends_what_is_due_and_counts_what_is_left(self, smtp, bob):
        smtp.refusals["later@example.org"] = "450 Later"
        assert say("--dry-run") == "Nothing to send now. Waiting for later: 0."
        outbox.enqueue("account_exists", bob)
        outbox.enqueue("account_exists", bob, to="later@example.org")
        listed = say("--dry-run").splitlines()
        assert listed[0].startswith("account_exists · ") and listed[0].endswith(" · b•••@example.org · attempts: 0")
        assert not smtp.received
        assert say() == "Sent: 1. Waiting for later: 1."
        assert say("--dry-run") == "Nothing to send now. Waiting for later: 1."
        smtp.die()  # which is no error
        come(FIRST_DELAY)
        assert say() == "Sent: 0. Waiting for later: 1."
        with pytest.raises(CommandError):  # which is for one look
            say("--dry-run", "--watch")

    def test_a_signal_lets_it_finish_the_mail_in_hand(self, smtp, bob, monkeypatch):
        for _ in range(3):
            outbox.enqueue("account_exists", bob)
        took = mails_worker._send

        def send(mail, connection):
            os.kill(os.getpid(), signal.SIGTERM)
            return took(mail, connection)

        monkeypatch.setattr(mails_worker, "_send", send)
        before = signal.getsignal(signal.SIGTERM)
        assert say() == "Sent: 1. Waiting for later: 2."
        assert signal.getsignal(signal.SIGTERM) is before
        assert len(smtp.received) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_watching_goes_on_until_it_is_told_to_end(smtp, bob, by):
    OutgoingMail.objects.bulk_create([OutgoingMail(kind="account_exists", user=bob, to="a@b.org", language="en")])
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}

    def end():
        wait_until(lambda: smtp.received)
        os.kill(os.getpid(), by)

    ending = threading.Thread(target=end)
    ending.start()
    try:
        say("--watch")
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    ending.join()
    assert not OutgoingMail.objects.exists()
