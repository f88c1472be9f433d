from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from tokens.models import RefreshToken


class Command(BaseCommand):
    help = "Ends the sessions of a person, or of everybody: after a restored backup, for example."

    def add_arguments(self, parser: CommandParser) -> None:
        whose = parser.add_mutually_exclusive_group(required=True)
        whose.add_argument("--user", help="the user name of the person")
        whose.add_argument("--all", action="store_true", help="everybody")

    def handle(self, *args: Any, **options: Any) -> None:
        people = get_user_model()._default_manager.all()
        if options["user"] is not None:
            people = people.filter(**{get_user_model().USERNAME_FIELD: options["user"]})
            if not people.exists():
                raise CommandError(f"Nobody is called {options['user']}.")
        ended = RefreshToken.objects.revoke_for(people.iterator(), RefreshToken.Reason.ADMIN)
        self.stdout.write(f"{ended} sessions ended.")
