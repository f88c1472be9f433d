from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from accounts import deletion
from accounts.models import AddressProof, OutgoingMail, SecurityEvent, Tally, User
from accounts.models.address import KEPT
from accounts.models.event import HISTORY_KEPT, SecurityEventQuerySet
from tokens.management.progress import counting
from tokens.models import RefreshToken

AT_ONCE = 500  # rows in one statement: nobody waits long for it

Rows = QuerySet[Any]


@dataclass(frozen=True)
class Task:
    """`act` does to some of `rows` what `done` says, and returns to how many."""

    what: str
    done: str
    rows: Rows
    act: Callable[[Any], int]

    def batches(self) -> Iterator[Rows]:
        """All the rows, in the order of their keys: what cannot be dealt with now is not met twice."""
        ordered = self.rows.order_by("pk")
        keys = list(ordered.values_list("pk", flat=True)[:AT_ONCE])
        while keys:
            yield self.rows.filter(pk__in=keys)
            keys = list(ordered.filter(pk__gt=keys[-1]).values_list("pk", flat=True)[:AT_ONCE])


class Command(BaseCommand):
    help = (
        f"Deletes the accounts whose time is up, what is older than it is kept for (events: {HISTORY_KEPT.days} days), "
        "and what people who are gone left behind. To be run once a day; it may be stopped at any moment and run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Say what would be done, and do nothing.")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        for task in _tasks():
            if dry_run:
                self.stdout.write(f"{task.rows.count()} {task.what} would be {task.done}.")
                continue
            with counting(self, f"{task.what} {task.done}", total=task.rows.count) as count:
                for batch in task.batches():
                    count(task.act(batch))


def _tasks() -> list[Task]:
    """What was written while its person was being deleted has nobody: nothing in the database forbids that."""
    return [
        Task("accounts", "deleted", User.objects.leaving(), lambda people: sum(map(deletion.delete, people))),
        Task("old events", "deleted", SecurityEvent.objects.old(), SecurityEventQuerySet.prune),
        Task("old tallies", "deleted", Tally.objects.old(), _delete),
        Task("old proofs of addresses", "deleted", _old_proofs(), _delete),
        Task("events of nobody", "made anonymous", _of_nobody(SecurityEvent), SecurityEventQuerySet.anonymise),
        Task("proofs of nobody's addresses", "deleted", _of_nobody(AddressProof), _delete),
        Task("mails to nobody", "deleted", _of_nobody(OutgoingMail), _delete),
        Task("sessions of nobody", "made anonymous", _sessions_of_nobody(), _blank),
    ]


def _old_proofs() -> Rows:
    return AddressProof.objects.filter(asked_at__lt=timezone.now() - KEPT)


def _of_nobody(model: Any) -> Rows:
    """Rows that name somebody who is gone. Those that never named anybody are as they should be."""
    rows: Rows = model.objects.filter(user__isnull=False)
    return rows.filter(~Exists(User.objects.filter(pk=OuterRef("user_id"))))


def _sessions_of_nobody() -> Rows:
    rows: Rows = RefreshToken.objects.filter(user=None).exclude(**deletion.BLANK)
    return rows


def _delete(rows: Rows) -> int:
    return rows.delete()[0]


def _blank(sessions: Rows) -> int:
    return sessions.update(**deletion.BLANK)
