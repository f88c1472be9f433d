import re
from argparse import ArgumentTypeError
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ObjectDoesNotExist
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import router, transaction
from django.db.models import QuerySet
from django.utils import timezone

from ...models import PEOPLE_AT_ONCE, RefreshToken, RefreshTokenQuerySet, locks
from ...models.old_sessions import EVERYBODY, OldSessions
from ...signals import all_ending
from ..progress import counting

UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class Command(BaseCommand):
    help = (
        "Ends the sessions of one user, of everyone (after restoring a backup, for example), or those that started "
        "long ago. You can stop it at any time and run it again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        whose = parser.add_mutually_exclusive_group()
        whose.add_argument("--user", help="end the sessions of the user with this name")
        whose.add_argument("--all", action="store_true", help="end everyone's sessions")
        parser.add_argument(
            "--older-than", type=span, help="end only sessions that started longer ago than this: 90m, 12h or 30d"
        )
        parser.add_argument("--dry-run", action="store_true", help="count them without ending any")

    def handle(self, *args: object, user: str | None, older_than: timedelta | None, **options: object) -> None:
        if user is None and older_than is None and not options["all"]:
            raise CommandError("Choose which sessions to end: --user NAME, --all or --older-than 30d.")
        sessions = RefreshToken.objects.on_primary().live()
        if older_than is not None:
            sessions = sessions.filter(created_at__lt=timezone.now() - older_than)
        people = get_user_model()._base_manager.using(sessions.db)
        person = None if user is None else _person(user)
        if person is not None:
            people = people.filter(pk=person.pk)
        found = sessions.filter(user__in=people)
        if options["dry_run"]:
            self.stdout.write(f"{found.count()} sessions would be ended.")
            return
        if older_than is None:
            all_ending.send(RefreshToken, user=person)
            OldSessions.objects.end(EVERYBODY if person is None else person.pk)
            if person is None:
                self.stdout.write(f"{RefreshToken.objects.end_all()} sessions ended.")
                return
        with counting(self, "sessions ended", total=found.count) as count:
            for keys in _batches(people):
                count(_end(sessions, keys))


def span(text: str) -> timedelta:
    found = re.fullmatch(r"([0-9]{1,5})([mhd])", text)
    if not found:
        raise ArgumentTypeError(f"{text!r} isn't a time span. Use 90m, 12h or 30d, for example")
    number, unit = found.groups()
    return timedelta(**{UNITS[unit]: int(number)})


def _person(name: str) -> AbstractBaseUser:
    people = get_user_model()._default_manager
    try:
        person: AbstractBaseUser = people.db_manager(router.db_for_write(people.model)).get_by_natural_key(name)
    except ObjectDoesNotExist:
        raise CommandError(f"There's no user named {name}.") from None
    return person


def _end(sessions: RefreshTokenQuerySet, keys: list[Any]) -> int:
    """End those of the users `keys`, under the lock that sign-ins take: none that is under way escapes."""
    with transaction.atomic(using=sessions.db):
        locks.lock_all(keys)
        return sessions.filter(user_id__in=keys).revoke(RefreshToken.Reason.ADMIN)


def _batches(people: QuerySet[Any]) -> Iterator[list[Any]]:
    """Yield the keys of all, in order: somebody without a session may be about to get one."""
    keys = people.order_by("pk").values_list("pk", flat=True)
    batch = list(keys[:PEOPLE_AT_ONCE])
    while batch:
        yield batch
        batch = list(keys.filter(pk__gt=batch[-1])[:PEOPLE_AT_ONCE])
