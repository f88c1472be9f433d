"""Bring a restored database up to date: end what came back to life, and repeat what the log says was done since."""

import json
import sys
from argparse import ArgumentTypeError
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils.crypto import get_random_string
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive

from accounts.account.deletion import GRACE_PERIOD
from accounts.factors import removal
from accounts.models import (
    Attempt,
    EmailVerification,
    Identity,
    OutgoingMail,
    ProviderFlow,
    RecoveryCode,
    SecurityEvent,
    TrustedBrowser,
    User,
)
from accounts.security.audit_log import ACCOUNT_DELETED

Kind = SecurityEvent.Kind
# An event is logged when its transaction commits, at most so long after the time in its row.
LOGGED_WITHIN = timedelta(minutes=1)
# Old copies that were tried may have been withdrawn since.
READ = {*Kind.values, ACCOUNT_DELETED} - {Kind.COPY_TRIED}
# The log does not say what these were changed to, or which passkey or account elsewhere it was.
LOOK_AT = (
    *(Kind.EMAIL_CHANGED, Kind.EMAIL_RESTORED, Kind.USERNAME_CHANGED, Kind.RIGHTS_CHANGED, Kind.FACTORS_REMOVED),
    *(Kind.PASSKEY_ADDED, Kind.PASSKEY_REMOVED, Kind.AUTHENTICATOR_ADDED, Kind.AUTHENTICATOR_REMOVED),
    Kind.PROVIDER_ADDED,
)


@dataclass(frozen=True)
class Event:
    """One event of a user, as a line of the log has it."""

    at: datetime
    kind: str
    user_id: UUID
    provider: str = ""
    session_id: UUID | None = None
    actor_id: UUID | None = None


class Command(BaseCommand):
    """Do all of it in one transaction, before the servers start."""

    help = (
        "Run this after restoring a backup and before starting the servers. It ends all sessions, trusts no browser "
        "and discards waiting emails, unused links and removals of second factors. With the log it also repeats what "
        "happened since the backup: accounts are deleted or closed again, passwords and recovery codes that were "
        "replaced no longer work, and events are recorded again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--log", nargs="+", default=[], help="files with the log as JSON; - is standard input")
        parser.add_argument(
            "--taken-at", type=_moment, help="when the backup was taken; by default, the time of its latest event"
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, without doing it")

    def handle(self, *args: object, log: list[str], taken_at: datetime | None, **options: object) -> None:
        latest = SecurityEvent.objects.values_list("created_at", flat=True).first()
        since = taken_at or latest or datetime.fromtimestamp(0, UTC)
        lost = _lost(log, since)
        with transaction.atomic():
            self.stdout.write(f"{TrustedBrowser.objects.all().delete()[0]} browsers no longer trusted.")
            call_command("endsessions", all=True, stdout=self.stdout)
            self.stdout.write(f"{OutgoingMail.objects.all().delete()[0]} waiting emails discarded.")
            self.stdout.write(f"{EmailVerification.objects.pending().delete()[0]} unused links withdrawn.")
            self.stdout.write(f"{removal.withdraw_all()} removals of second factors withdrawn.")
            Attempt.objects.all().delete()
            ProviderFlow.objects.all().delete()
            if log:
                self.stdout.write(f"{len(lost)} events since {since.isoformat(timespec='seconds')} in the log.")
                self._repeat(lost)
            else:
                self.stdout.write("Nothing else was repeated: name the log with --log.")
            if options["dry_run"]:
                transaction.set_rollback(True)
                self.stdout.write("Nothing was changed.")

    def _repeat(self, lost: list[Event]) -> None:
        happened: dict[UUID, dict[str, datetime]] = defaultdict(dict)
        removed: dict[UUID, dict[str, datetime]] = defaultdict(dict)  # by the name of the provider
        for event in lost:
            if event.kind == Kind.PROVIDER_REMOVED:
                removed[event.user_id][event.provider] = event.at
            happened[event.user_id].pop(event.kind, None)  # the latest of each kind, in their order
            happened[event.user_id][event.kind] = event.at
        people = User.objects.in_bulk(happened)
        _record(event for event in lost if event.user_id in people)
        done: dict[str, list[User]] = defaultdict(list)
        blocked = User()
        blocked.set_password(get_random_string(64))  # One for all: a hash takes a while, and nobody knows it.
        for key, user in people.items():
            for deed in _repeat_for(user, happened[key], removed[key], blocked):
                done[deed].append(user)
        for deed, users in sorted(done.items()):
            self.stdout.write(f"{deed}: {', '.join(user.username for user in users)}")
        gone = sum(Kind.SIGNED_UP in kinds for key, kinds in happened.items() if key not in people)
        self.stdout.write(f"{gone} accounts created since are lost.")


def _repeat_for(
    user: User, happened: dict[str, datetime], removed: dict[str, datetime], blocked: User
) -> Iterator[str]:
    """Repeat for `user` what happened to them, and yield what was done; `removed` are providers."""
    if ACCOUNT_DELETED in happened:
        user.delete()
        yield "Deleted again"
        return
    yield from _close_ways_in(user, happened, removed, blocked)
    yield from _repeat_status(user, happened)
    for kind in happened:
        if kind in LOOK_AT:
            yield f"To be looked at ({Kind(kind).label})"


def _close_ways_in(
    user: User, happened: dict[str, datetime], removed: dict[str, datetime], blocked: User
) -> Iterator[str]:
    """Let nobody sign in by what was replaced, used or removed. The new password is not known: it becomes `blocked`."""
    replaced = [happened[kind] for kind in (Kind.PASSWORD_CHANGED, Kind.PASSWORD_RESET) if kind in happened]
    if replaced and max(replaced) > user.password_changed_at:  # and not once more since the restore
        user.copy_password(blocked)
        user.save(update_fields=["password"])
        yield "Has to reset the password, as the restored one is out of date"
    mine = Identity.objects.filter(user=user)
    if sum(mine.filter(provider=name, created_at__lt=at).delete()[0] for name, at in removed.items()):
        yield "Can no longer sign in with accounts elsewhere that were removed"
    used = [happened[kind] for kind in (Kind.RECOVERY_CODE_USED, Kind.RECOVERY_CODES_RENEWED) if kind in happened]
    if used and RecoveryCode.objects.filter(user=user, created_at__lte=max(used)).delete()[0]:
        yield "Has to get new recovery codes, as some of the restored ones were used or replaced"


def _repeat_status(user: User, happened: dict[str, datetime]) -> Iterator[str]:
    """Close or open the account, and schedule its deletion or not, as happened last."""
    fields = set()
    for kind, at in happened.items():
        if kind in (Kind.DEACTIVATED, Kind.ACTIVATED):
            user.is_active = kind == Kind.ACTIVATED
            fields.add("is_active")
        elif kind in (Kind.DELETION_ASKED, Kind.DELETION_WITHDRAWN):
            user.deletion_due_at = at + GRACE_PERIOD if kind == Kind.DELETION_ASKED else None
            fields.add("deletion_due_at")
    user.save(update_fields=fields)
    if "is_active" in fields:
        yield "Open again" if user.is_active else "Closed again"
    if "deletion_due_at" in fields:
        yield "To be deleted again" if user.deletion_due_at else "No longer to be deleted"


def _record(events: Iterable[Event]) -> None:
    """Record events again, without what the log does not tell."""
    SecurityEvent.objects.bulk_create(
        SecurityEvent(
            user_id=event.user_id,
            kind=event.kind,
            created_at=event.at,
            session_id=event.session_id,
            actor_id=event.actor_id,
            method=event.provider,
        )
        for event in events
        if event.kind != ACCOUNT_DELETED
    )


def _lost(log: list[str], since: datetime) -> list[Event]:
    """Return the events in the log that the database does not have, in their order."""
    kept: dict[tuple[UUID | None, str], list[datetime]] = defaultdict(list)
    recent = SecurityEvent.objects.filter(created_at__gte=since - LOGGED_WITHIN)
    for user_id, kind, at in recent.values_list("user_id", "kind", "created_at"):
        kept[user_id, kind].append(at)
    lost = (
        event
        for event in _events(log)
        if event.at > since
        and event.kind in READ
        and not any(at <= event.at <= at + LOGGED_WITHIN for at in kept[event.user_id, event.kind])
    )
    return sorted(lost, key=lambda event: event.at)


def _events(log: list[str]) -> Iterator[Event]:
    """Yield what the files tell about users; other lines are skipped."""
    with ExitStack() as stack:
        for name in log:
            try:
                file = sys.stdin if name == "-" else stack.enter_context(open(name, encoding="utf-8", errors="replace"))
            except OSError as error:
                raise CommandError(f"{name} can't be read: {error.strerror}.") from None
            yield from filter(None, map(_parse, file))


def _parse(text: str) -> Event | None:
    """Return the event of a line, or None if it has none. Whatever stands before the JSON is ignored."""
    try:
        line = json.loads(text[text.index("{") :])
        ids = (UUID(line[name]) if line.get(name) else None for name in ("session_id", "actor_id"))
        at, provider = datetime.fromisoformat(line["timestamp"]), str(line.get("provider", ""))[:16]
        return Event(at, line["event"], UUID(line["user_id"]), provider, *ids)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _moment(text: str) -> datetime:
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or is_naive(moment):
        raise ArgumentTypeError(f"{text!r} isn't a time with a zone, such as 2026-11-29T03:00:00Z")
    return moment
