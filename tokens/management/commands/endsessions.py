import re
from argparse import ArgumentTypeError
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ObjectDoesNotExist
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import router
from django.db.models import QuerySet
from django.utils import timezone

from ...models import RefreshToken, RefreshTokenQuerySet
from ...revocation import EVERYBODY, OldSessions
from ..progress import counting

AT_ONCE = 500  # sessions that end in one transaction
UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class Command(BaseCommand):
    help = (
        "Ends the sessions of a person, of everybody (after a restored backup, for example), or those that began long "
        "ago. It may be stopped at any moment and run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        whose = parser.add_mutually_exclusive_group()
        whose.add_argument("--user", help="the user name of the person")
        whose.add_argument("--all", action="store_true", help="everybody")
        parser.add_argument(
            "--older-than", type=span, help="those alone that began longer ago than that: 90m, 12h or 30d"
        )
        parser.add_argument("--dry-run", action="store_true", help="say how many there are, and end none")

    def handle(self, *args: object, user: str | None, older_than: timedelta | None, **options: object) -> None:
        if user is None and older_than is None and not options["all"]:
            raise CommandError("Say whose: --user NAME, --all or --older-than 30d.")
        sessions = _sessions(user, older_than)
        if options["dry_run"]:
            self.stdout.write(f"{sessions.count()} sessions would be ended.")
            return
        if older_than is None:
            OldSessions.objects.end(EVERYBODY if user is None else _person(user).pk)
        with counting(self, "sessions ended", total=sessions.count) as count:
            for ended in _by_age(sessions) if older_than else _by_person(sessions):
                count(ended)


def span(text: str) -> timedelta:
    found = re.fullmatch(r"([0-9]{1,5})([mhd])", text)
    if not found:
        raise ArgumentTypeError(f"{text!r} is not a time span: write 90m, 12h or 30d")
    number, unit = found.groups()
    return timedelta(**{UNITS[unit]: int(number)})


def _sessions(name: str | None, older_than: timedelta | None) -> RefreshTokenQuerySet:
    sessions: RefreshTokenQuerySet = RefreshToken.objects.on_primary().live().exclude(user=None)
    if name is not None:
        sessions = sessions.for_user(_person(name))
    if older_than is not None:
        sessions = sessions.filter(created_at__lt=timezone.now() - older_than)
    return sessions


def _person(name: str) -> AbstractBaseUser:
    people = get_user_model()._default_manager
    try:
        person: AbstractBaseUser = people.db_manager(router.db_for_write(people.model)).get_by_natural_key(name)
    except ObjectDoesNotExist:
        raise CommandError(f"No user is called {name}.") from None
    return person


def _by_person(sessions: RefreshTokenQuerySet) -> Iterator[int]:
    """End them under each user's lock, so that no sign-in that is under way escapes."""
    people = (
        get_user_model()._default_manager.using(sessions.db).filter(pk__in=sessions.values("user_id")).order_by("pk")
    )
    for batch in _batches(people):
        for person in people.filter(pk__in=batch):
            yield RefreshToken.objects.revoke_for([person], RefreshToken.Reason.ADMIN)


def _by_age(sessions: RefreshTokenQuerySet) -> Iterator[int]:
    """End a few at a time: none that is just beginning is among them."""
    for batch in _batches(sessions.order_by("pk")):
        yield sessions.filter(pk__in=batch).revoke(RefreshToken.Reason.ADMIN)


def _batches(rows: QuerySet[Any]) -> Iterator[list[Any]]:
    """Yield their keys, in order; a row that is not changed is not met twice."""
    keys = list(rows.values_list("pk", flat=True)[:AT_ONCE])
    while keys:
        yield keys
        keys = list(rows.filter(pk__gt=keys[-1]).values_list("pk", flat=True)[:AT_ONCE])
