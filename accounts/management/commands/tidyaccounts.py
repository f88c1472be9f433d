from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from accounts.account import deletion
from accounts.models import EmailVerification, OutgoingMail, SecurityEvent, User
from accounts.models.email_verification import RETENTION
from accounts.models.security_event import EVENT_RETENTION, SecurityEventQuerySet
from tokens.management.progress import counting
from tokens.models import RefreshToken

BATCH_SIZE = 500  # rows in one statement: nobody waits long for it

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
        keys = list(ordered.values_list("pk", flat=True)[:BATCH_SIZE])
        while keys:
            yield self.rows.filter(pk__in=keys)
            keys = list(ordered.filter(pk__gt=keys[-1]).values_list("pk", flat=True)[:BATCH_SIZE])


class Command(BaseCommand):
    help = (
        f"Deletes the accounts whose time is up, what is older than it is kept for (events: {EVENT_RETENTION.days} "
        "days), and what people who are gone left behind. To be run once a day; it may be stopped at any moment and "
        "run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Say what would be done, and do nothing.")

    def handle(self, *args: object, dry_run: bool, **options: object) -> None:
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
        Task("accounts", "deleted", User.objects.due_for_deletion(), lambda users: sum(map(deletion.delete, users))),
        Task("old events", "deleted", SecurityEvent.objects.old(), SecurityEventQuerySet.prune),
        Task("old e-mail verifications", "deleted", _old_email_verifications(), _delete),
        Task("events of nobody", "made anonymous", _without_user(SecurityEvent), SecurityEventQuerySet.anonymise),
        Task("e-mail verifications of nobody", "deleted", _without_user(EmailVerification), _delete),
        Task("mails to nobody", "deleted", _without_user(OutgoingMail), _delete),
        Task("sessions of nobody", "made anonymous", _sessions_without_user(), _anonymise_sessions),
    ]


def _old_email_verifications() -> Rows:
    return EmailVerification.objects.filter(requested_at__lt=timezone.now() - RETENTION)


def _without_user(model: type[SecurityEvent] | type[EmailVerification] | type[OutgoingMail]) -> Rows:
    """Rows that name somebody who is gone. Those that never named anybody are as they should be."""
    rows: Rows = model.objects.filter(user__isnull=False)
    return rows.filter(~Exists(User.objects.filter(pk=OuterRef("user_id"))))


def _sessions_without_user() -> Rows:
    rows: Rows = RefreshToken.objects.filter(user=None).exclude(**deletion.ANONYMOUS_SESSION)
    return rows


def _delete(rows: Rows) -> int:
    return rows.delete()[0]


def _anonymise_sessions(sessions: Rows) -> int:
    return sessions.update(**deletion.ANONYMOUS_SESSION)
