from typing import Any

from django.core.management.base import BaseCommand

from tokens.models import KEPT_AFTER_END, RefreshToken


class Command(BaseCommand):
    help = f"Deletes sessions that ended more than {KEPT_AFTER_END.days} days ago, a few at a time."

    def handle(self, *args: Any, **options: Any) -> None:
        deleted = 0
        while batch := RefreshToken.objects.prune():
            deleted += batch
        self.stdout.write(f"{deleted} sessions deleted.")
