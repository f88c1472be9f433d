"""Delete accounts: on request, after a grace period in which the user can change their mind.

What has to remain for the sake of others no longer says anything about the user: events without a user, an IP address
or a browser, and the rows of sessions, which keep dead tokens dead.
"""

from datetime import datetime, timedelta

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.factors import trusted_browsers
from accounts.mails import alerts, outbox
from accounts.models import SecurityEvent, User
from tokens.models import RefreshToken, locks

# An account that nobody uses and whose email may be somebody else's; events, which tell it, are kept twice as long.
UNCONFIRMED_LIFETIME = timedelta(days=90)
GRACE_PERIOD = timedelta(days=14)  # a user who learns of it by mail may be travelling
# The personal fields in the row of a session, empty.
ANONYMOUS_SESSION: dict[str, object] = {"name": "", "user_agent": "", "browser": "", "ip_address": None}

Kind = SecurityEvent.Kind


class LastSuperuser(Exception):
    """Report that without this user nobody could administer the site any more."""


def schedule(request: HttpRequest, user: User) -> datetime:
    """Schedule `user` for deletion after GRACE_PERIOD, end all their sessions, and return when it is due.

    A user who is scheduled already keeps their earlier date. Raise LastSuperuser.
    """
    deletion_due_at = timezone.now() + GRACE_PERIOD
    with transaction.atomic():
        if is_last_superuser(user, lock=True):
            raise LastSuperuser
        if User.objects.filter(pk=user.pk, is_active=True, deletion_due_at=None).update(
            deletion_due_at=deletion_due_at
        ):
            RefreshToken.objects.revoke_for([user], RefreshToken.Reason.DEACTIVATED)
            trusted_browsers.distrust(user)
            SecurityEvent.objects.record(request, user, Kind.DELETION_ASKED)
            alerts.notify_all("deletion_asked", user, request)
    return deletion_due_at


def cancel(request: HttpRequest | None, user: User) -> bool:
    """Keep the account of `user` after all; return whether a deletion was scheduled and there was still time."""
    with transaction.atomic():
        kept = bool(User.objects.filter(pk=user.pk, deletion_due_at__isnull=False).update(deletion_due_at=None))
        if kept:
            SecurityEvent.objects.record(request, user, Kind.DELETION_WITHDRAWN)
    return kept


def is_last_superuser(user: User, *, lock: bool = False) -> bool:
    """Return whether no other superuser remains.

    With `lock`, inside a transaction, two superusers who ask at once get different answers.
    """
    if not user.is_superuser:
        return False
    people = User.objects.filter(is_superuser=True, is_active=True, deletion_due_at=None).order_by("pk")
    return not any(other.pk != user.pk for other in (people.select_for_update() if lock else people).only("pk"))


def delete(user: User) -> bool:
    """Delete `user` for good if their grace period is over, and return whether it was.

    A last mail goes to the email that they had.
    """
    with transaction.atomic():
        person = User.objects.due_for_deletion().select_for_update().filter(pk=user.pk).first()
        if person:
            outbox.enqueue("account_deleted", None, to=person.email, language=person.language)
            person.delete()
    return person is not None


def unconfirmed() -> QuerySet[User]:
    """Return those who signed up, never confirmed an email, and have not signed in for UNCONFIRMED_LIFETIME.

    Without the event of a sign-up a user was imported or invited, and stays.
    """
    begin = timezone.now() - UNCONFIRMED_LIFETIME
    events = SecurityEvent.objects.filter(user=OuterRef("pk"), actor=None)
    found = User.objects.filter(
        Exists(events.filter(kind=Kind.SIGNED_UP)),
        ~Exists(events.filter(kind__in=(Kind.EMAIL_CONFIRMED, Kind.EMAIL_CHANGED))),
        ~Exists(RefreshToken.objects.live().filter(user=OuterRef("pk"))),
        email_verified_at=None,
        is_staff=False,
        date_joined__lt=begin,
    )
    return found.exclude(last_login__gte=begin)


def delete_unconfirmed(user: User) -> bool:
    """Delete `user` if they are still one of the `unconfirmed`, and return whether they were. No mail is sent."""
    with transaction.atomic():
        person = unconfirmed().select_for_update().filter(pk=user.pk).first()
        if person:
            person.delete()
    return person is not None


def anonymise(user: User) -> None:
    """Anonymise the rows that will remain of `user`, who is about to be deleted, together with the links to them.

    Lock the user before their sessions, and those in the order of their keys, as signing in and ending sessions do.
    Otherwise two of these could wait for each other.
    """
    User.objects.select_for_update().filter(pk=user.pk).first()
    sessions = RefreshToken.objects.for_user(user)
    locks.lock_in_order(sessions)
    sessions.update(**ANONYMOUS_SESSION)
    SecurityEvent.objects.filter(user=user).anonymise()
    SecurityEvent.objects.filter(actor=user).blur()
    people = ContentType.objects.get_for_model(User)
    LogEntry.objects.filter(content_type=people, object_id=user.pk).update(object_repr="", change_message="")
