"""How an account goes: asked for, kept for a while in case of second thoughts, then deleted.

What has to outlive it, for the sake of others, says nothing more of anybody: events without a person, an address or a
browser, and the rows of sessions, which keep dead tokens dead.
"""

from datetime import datetime, timedelta

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts.mails import alerts, outbox
from accounts.models import SecurityEvent, User
from tokens.models import RefreshToken

GRACE_PERIOD = timedelta(days=14)  # somebody who hears of it by mail can be on a journey
ANONYMOUS_SESSION: dict[str, object] = {
    "name": "",
    "user_agent": "",
    "address": None,
}  # what is personal in the row of a session

Kind = SecurityEvent.Kind


class LastSuperuser(Exception):
    """Without this person nobody could look after the site any more."""


def schedule(request: HttpRequest, user: User) -> datetime:
    """Have `user` deleted when GRACE is over, and return that moment. All their sessions end now.

    Who has asked already is not asked for twice. Raises LastSuperuser.
    """
    deletion_due_at = timezone.now() + GRACE_PERIOD
    with transaction.atomic():
        if is_last_superuser(user, lock=True):
            raise LastSuperuser
        if User.objects.filter(pk=user.pk, is_active=True, deletion_due_at=None).update(
            deletion_due_at=deletion_due_at
        ):
            RefreshToken.objects.revoke_for([user], RefreshToken.Reason.DEACTIVATED)
            SecurityEvent.objects.record(request, user, Kind.DELETION_ASKED)
            alerts.notify_all("deletion_asked", user, request)
    return deletion_due_at


def cancel(request: HttpRequest | None, user: User) -> bool:
    """Let `user` stay after all; whether there was still time, and something to take back."""
    with transaction.atomic():
        kept = bool(User.objects.filter(pk=user.pk, deletion_due_at__isnull=False).update(deletion_due_at=None))
        if kept:
            SecurityEvent.objects.record(request, user, Kind.DELETION_WITHDRAWN)
    return kept


def is_last_superuser(user: User, *, lock: bool = False) -> bool:
    """Whether nobody else who stays may do everything. `lock`, in a transaction: and of two who ask at once, one is."""
    if not user.is_superuser:
        return False
    people = User.objects.filter(is_superuser=True, is_active=True, deletion_due_at=None).order_by("pk")
    return not any(other.pk != user.pk for other in (people.select_for_update() if lock else people).only("pk"))


def delete(user: User) -> bool:
    """Delete `user` for good, if their grace is over; whether it was. The last mail goes to the address they had."""
    with transaction.atomic():
        person = User.objects.due_for_deletion().select_for_update().filter(pk=user.pk).first()
        if person:
            outbox.enqueue("account_deleted", None, to=person.email, language=person.language)
            person.delete()
    return person is not None


def anonymise(user: User) -> None:
    """Empty what will outlive `user`, who is about to be deleted by whoever: the rows' links to them go with them.

    The person is locked before their sessions, and those by their keys, as sign-ins and endings do it: or two of them
    would wait for each other.
    """
    User.objects.select_for_update().filter(pk=user.pk).first()
    sessions = RefreshToken.objects.for_user(user)
    list(sessions.select_for_update().order_by("pk").values_list("pk"))  # in the order of whoever ends some of them
    sessions.update(**ANONYMOUS_SESSION)
    SecurityEvent.objects.filter(user=user).anonymise()
    SecurityEvent.objects.filter(actor=user).blur()
    people = ContentType.objects.get_for_model(User)
    LogEntry.objects.filter(content_type=people, object_id=user.pk).update(object_repr="", change_message="")
