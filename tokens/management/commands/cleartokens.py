from django.core.management.base import BaseCommand, CommandParser

from ...conf import conf
from ...models import KEPT_AFTER_END
from ...models.old_sessions import OldSessions
from .. import pruning
from ..progress import counting


class Command(BaseCommand):
    help = (
        f"Deletes sessions that expired more than {KEPT_AFTER_END.days} days ago, a few at a time. Run it once a day. "
        "You can stop it at any time and run it again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count them without deleting any")

    def handle(self, *args: object, dry_run: bool, **options: object) -> None:
        if dry_run:
            self.stdout.write(f"{pruning.old().count()} sessions would be deleted.")
            return
        if not conf.adopt_sessions:
            OldSessions.objects.all().delete()
        with counting(self, "sessions deleted", total=lambda: pruning.old().count()) as count:
            for deleted in pruning.batches():
                count(deleted)
