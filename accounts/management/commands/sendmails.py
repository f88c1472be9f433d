import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from accounts import postman
from accounts.models import OutgoingMail

_POLL = 5  # seconds


class Command(BaseCommand):
    help = "Sends the mails that are due. The server does so by itself; this is for a process or a machine of its own."

    def add_arguments(self, parser: CommandParser) -> None:
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--watch", action="store_true", help="go on until SIGTERM or Ctrl-C")
        how.add_argument("--dry-run", action="store_true", help="send nothing, and list what is due")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["dry_run"]:
            self._list()
        elif options["watch"]:
            self._watch()
        else:
            self.stdout.write(f"{postman.deliver()} mails sent, {OutgoingMail.objects.count()} are left for later.")

    def _list(self) -> None:
        for mail in OutgoingMail.objects.due():
            self.stdout.write(f"{mail} · {postman.masked(mail.to)} · attempts: {mail.attempts}")

    def _watch(self) -> None:
        watching = postman.Postman()
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda *_: watching.stop())
        watching.work(poll=_POLL)
