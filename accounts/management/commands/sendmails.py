"""Send the mails that are due."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from django.core.management.base import BaseCommand, CommandParser

from accounts.mails import outbox, worker
from accounts.models import OutgoingMail
from tokens.management.progress import bar

_POLL = 5  # seconds


class Command(BaseCommand):
    """Send once, or watch for mails until stopped."""

    help = (
        "Send the emails that are due. The server does this on its own. Use this command to send them from another "
        "process or machine. On Ctrl-C or SIGTERM, it finishes the email it's sending."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        group = parser.add_mutually_exclusive_group()
        group.add_argument("--watch", action="store_true", help="keep sending until SIGTERM or Ctrl-C")
        group.add_argument("--dry-run", action="store_true", help="list the emails that are due without sending them")

    def handle(self, *args: object, **options: object) -> None:
        if options["dry_run"]:
            self._list()
        elif options["watch"]:
            self._watch()
        else:
            self._send()

    def _list(self) -> None:
        due = OutgoingMail.objects.due()
        for mail in due.iterator():
            self.stdout.write(f"{mail} · {outbox.masked_email(mail.to)} · attempts: {mail.attempts}")
        if not due:
            self.stdout.write(f"Nothing to send now. Waiting for later: {OutgoingMail.objects.count()}.")

    def _send(self) -> None:
        with _stop_signals() as stop_requested, closing(bar(OutgoingMail.objects.due().count)) as progress:

            def stopping() -> bool:  # called before each mail
                progress.update()
                return stop_requested.is_set()

            sent = worker.send_due(stopping)
        self.stdout.write(f"Sent: {sent}. Waiting for later: {OutgoingMail.objects.count()}.")

    def _watch(self) -> None:
        mail_worker = worker.MailWorker()
        with _stop_signals(mail_worker.stop):
            mail_worker.work(poll=_POLL)


@contextmanager
def _stop_signals(act: Callable[[], object] = lambda: None) -> Iterator[threading.Event]:
    """Yield an event that is set, after `act` is called, by the signals that would otherwise end the process."""
    stop_requested = threading.Event()

    def stop(*_: object) -> None:
        act()
        stop_requested.set()

    signals = (signal.SIGTERM, signal.SIGINT) if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.signal(number, stop) for number in signals}
    try:
        yield stop_requested
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
