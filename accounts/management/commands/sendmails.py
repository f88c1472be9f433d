import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from django.core.management.base import BaseCommand, CommandParser

from accounts.mails import worker
from accounts.models import OutgoingMail
from tokens.management.progress import bar

_POLL = 5  # seconds


class Command(BaseCommand):
    help = (
        "Sends the mails that are due. The server does so by itself; this is for a process or a machine of its own. "
        "Ctrl-C and SIGTERM let it finish the mail in hand."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--watch", action="store_true", help="go on until SIGTERM or Ctrl-C")
        how.add_argument("--dry-run", action="store_true", help="send nothing, and list what is due")

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
            self.stdout.write(f"{mail} · {worker.masked_email(mail.to)} · attempts: {mail.attempts}")
        if not due:
            self.stdout.write(f"No mail is due, {OutgoingMail.objects.count()} are left for later.")

    def _send(self) -> None:
        with _told_to_stop() as stopped, closing(bar(OutgoingMail.objects.due().count)) as shown:

            def stopping() -> bool:  # asked before each mail
                shown.update()
                return stopped.is_set()

            sent = worker.send_due(stopping)
        self.stdout.write(f"{sent} mails sent, {OutgoingMail.objects.count()} are left for later.")

    def _watch(self) -> None:
        watching = worker.MailWorker()
        with _told_to_stop(watching.stop):
            watching.work(poll=_POLL)


@contextmanager
def _told_to_stop(act: Callable[[], object] = lambda: None) -> Iterator[threading.Event]:
    """An event that is set, after `act`, by the signals which end a process otherwise."""
    stopped = threading.Event()

    def stop(*_: object) -> None:
        act()
        stopped.set()

    signals = (signal.SIGTERM, signal.SIGINT) if threading.current_thread() is threading.main_thread() else ()
    before = {each: signal.signal(each, stop) for each in signals}
    try:
        yield stopped
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
