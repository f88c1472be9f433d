"""`sendmails`, for whoever wants a process of its own for mails."""

import os
import signal
import threading
import time
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts import mails, postman
from accounts.models import OutgoingMail
from tests.smtp import wait_until


def say(*words):
    out = StringIO()
    call_command("sendmails", *words, stdout=out)
    return out.getvalue().strip()


class TestOnce:
    def test_sends_what_is_due_and_counts_what_is_left(self, smtp, bob):
        smtp.refusals["later@example.org"] = "450 Later"
        mails.send("account_exists", bob)
        mails.send("account_exists", bob, to="later@example.org")

        assert say() == "1 mails sent, 1 are left for later."
        assert say() == "0 mails sent, 1 are left for later."
        assert len(smtp.received) == 1

    def test_a_mail_server_that_is_down_is_no_error(self, smtp, bob):
        smtp.die()
        mails.send("account_exists", bob)

        assert say() == "0 mails sent, 1 are left for later."

    @pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_lets_it_finish_the_mail_in_hand(self, smtp, bob, monkeypatch, by):
        for _ in range(3):
            mails.send("account_exists", bob)
        took = postman._send

        def send(mail, connection):
            os.kill(os.getpid(), by)
            return took(mail, connection)

        monkeypatch.setattr(postman, "_send", send)
        before = signal.getsignal(by)
        assert say() == "1 mails sent, 2 are left for later."
        assert signal.getsignal(by) is before
        assert len(smtp.received) == 1


class TestDryRun:
    def test_lists_what_is_due_and_sends_nothing(self, smtp, bob):
        mails.send("account_exists", bob)

        listed = say("--dry-run")
        assert listed.startswith("account_exists · ")
        assert listed.endswith(" · b…@example.org · attempts: 0")
        assert not smtp.received
        assert OutgoingMail.objects.get().attempts == 0

    def test_says_so_if_nothing_is_due(self, db, bob):
        assert say("--dry-run") == "No mail is due, 0 are left for later."
        mails.send("account_exists", bob)
        OutgoingMail.objects.update(due_at=timezone.now() + timedelta(minutes=1))
        assert say("--dry-run") == "No mail is due, 1 are left for later."

    def test_is_not_for_watching(self, db):
        with pytest.raises(CommandError):
            say("--dry-run", "--watch")


@pytest.mark.django_db(transaction=True)
class TestWatch:
    @pytest.fixture(autouse=True)
    def _handlers(self):
        before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
        yield
        for each, handler in before.items():
            signal.signal(each, handler)

    @pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
    def test_goes_on_until_it_is_told_to_end(self, smtp, bob, by):
        OutgoingMail.objects.bulk_create([OutgoingMail(kind="account_exists", user=bob, to="a@b.org", language="en")])

        def end():
            wait_until(lambda: smtp.received)
            os.kill(os.getpid(), by)

        ending = threading.Thread(target=end)
        ending.start()
        start = time.monotonic()
        say("--watch")
        ending.join()

        assert time.monotonic() - start < 5
        assert not OutgoingMail.objects.exists()
