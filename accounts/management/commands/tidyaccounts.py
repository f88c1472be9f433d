"""Delete and anonymise what has outlived its time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from accounts.account import deletion
from accounts.factors import removal, totp
from accounts.models import (
    Authenticator,
    EmailVerification,
    FactorRemoval,
    FactorSettings,
    Identity,
    OutgoingMail,
    Passkey,
    ProviderFlow,
    RecoveryCode,
    SecurityEvent,
    TrustedBrowser,
    User,
)
from accounts.models.email_verification import RETENTION
from accounts.models.security_event import EVENT_RETENTION, SecurityEventQuerySet
from tokens.management.progress import counting
from tokens.models import RefreshToken

BATCH_SIZE = 500  # rows in one statement, so that its locks are short

Rows = QuerySet[Any]
FACTORS = {
    "passkeys": Passkey,
    "authenticator apps": Authenticator,
    "recovery codes": RecoveryCode,
    "trusted browsers": TrustedBrowser,
    "handles of passkeys": FactorSettings,
    "accounts at providers": Identity,
}


@dataclass(frozen=True)
class Task:
    """Do to `rows` what `done` says, in batches; `act` does it to one batch and returns how many rows it changed."""

    what: str
    done: str
    rows: Rows
    act: Callable[[Any], int]

    def batches(self) -> Iterator[Rows]:
        """Yield all rows in the order of their keys, so that a row that cannot be dealt with now is not met twice."""
        ordered = self.rows.order_by("pk")
        keys = list(ordered.values_list("pk", flat=True)[:BATCH_SIZE])
        while keys:
            yield self.rows.filter(pk__in=keys)
            keys = list(ordered.filter(pk__gt=keys[-1]).values_list("pk", flat=True)[:BATCH_SIZE])


class Command(BaseCommand):
    """Carry out each task, or say what it would do."""

    help = (
        "Delete the accounts whose grace period is over, those that were neither confirmed nor used for "
        f"{deletion.UNCONFIRMED_LIFETIME.days} days, the rows that are past their retention (events: "
        f"{EVENT_RETENTION.days} days), and what deleted users left behind. Tell users again whose second factors will "
        "be removed, and remove them. Encrypt the secrets of authenticator apps by SECRET_KEY that one of "
        "SECRET_KEY_FALLBACKS has encrypted. Run it once a day; it can be interrupted at any time and run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="show what would happen without doing it")

    def handle(self, *args: object, dry_run: bool, **options: object) -> None:
        for task in _tasks():
            if dry_run:
                self.stdout.write(f"{task.rows.count()} {task.what} would be {task.done}.")
                continue
            with counting(self, f"{task.what} {task.done}", total=task.rows.count) as count:
                for batch in task.batches():
                    count(task.act(batch))


def _tasks() -> list[Task]:
    """Return the tasks.

    A row that was written while its user was being deleted has no user: no constraint forbids it.
    """
    return [
        Task("accounts", "deleted", User.objects.due_for_deletion(), lambda users: sum(map(deletion.delete, users))),
        Task(
            *("unconfirmed accounts", "deleted", deletion.unconfirmed()),
            lambda users: sum(map(deletion.delete_unconfirmed, users)),
        ),
        Task("removals of second factors", "told of again", FactorRemoval.objects.to_remind(), _remind),
        Task("removals of second factors", "carried out", FactorRemoval.objects.due(), _remove_factors),
        Task("unanswered removals of second factors", "deleted", FactorRemoval.objects.unanswered(), _delete),
        Task("trusted browsers", "forgotten", TrustedBrowser.objects.expired(), _delete),
        Task("visits to providers", "forgotten", ProviderFlow.objects.over(), _delete),
        Task("old events", "deleted", SecurityEvent.objects.old(), SecurityEventQuerySet.prune),
        Task("old email verifications", "deleted", _old_email_verifications(), _delete),
        Task("events of deleted users", "anonymised", _without_user(SecurityEvent), SecurityEventQuerySet.anonymise),
        Task("email verifications of deleted users", "deleted", _without_user(EmailVerification), _delete),
        Task("mails to deleted users", "deleted", _without_user(OutgoingMail), _delete),
        *(
            Task(f"{what} of deleted users", "deleted", _without_user(model), _delete)
            for what, model in FACTORS.items()
        ),
        Task("sessions of deleted users", "anonymised", _sessions_without_user(), _anonymise_sessions),
        Task("secrets of authenticator apps", "encrypted anew", _apps_of_other_keys(), totp.rewrite),
    ]


def _remind(removals: Rows) -> int:
    return sum(map(removal.remind, removals))


def _remove_factors(removals: Rows) -> int:
    return sum(map(removal.carry_out, removals.values_list("user_id", flat=True)))


def _old_email_verifications() -> Rows:
    return EmailVerification.objects.filter(requested_at__lt=timezone.now() - RETENTION)


def _without_user(model: Any) -> Rows:
    """Return rows whose user is gone, but not those that never had one."""
    rows: Rows = model.objects.filter(user__isnull=False)
    return rows.filter(~Exists(User.objects.filter(pk=OuterRef("user_id"))))


def _sessions_without_user() -> Rows:
    rows: Rows = RefreshToken.objects.on_primary().filter(user=None).exclude(**deletion.ANONYMOUS_SESSION)
    return rows


def _apps_of_other_keys() -> Rows:
    """Return all: which key has encrypted a secret shows only when it is tried."""
    apps: Rows = Authenticator.objects.all()
    return apps if settings.SECRET_KEY_FALLBACKS else apps.none()


def _delete(rows: Rows) -> int:
    return rows.delete()[0]


def _anonymise_sessions(sessions: Rows) -> int:
    return sessions.update(**deletion.ANONYMOUS_SESSION)
