"""Record events and send mails when `tokens` or Django signal something."""

from datetime import datetime, timedelta

from django.contrib.auth.signals import user_login_failed
from django.core.signals import request_started
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.signals import post_save, pre_delete
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from accounts.account import checkup, deletion
from accounts.factors import policy, removal, trusted_browsers
from accounts.mails import outbox, worker
from accounts.models import Identity, OutgoingMail, Passkey, SecurityEvent, TrustedBrowser, User
from accounts.security import new_browser_alert
from tokens.core.exceptions import SignInHeld
from tokens.models import RefreshToken, locks
from tokens.signals import (
    all_ending,
    device_unproven,
    probe_answered,
    probe_sent,
    reuse_found,
    session_ended,
    session_started,
    session_starting,
)

Kind = SecurityEvent.Kind


@receiver(session_starting)
def hold_without_second_factor(row: RefreshToken, **kwargs: object) -> None:
    """Let no session of somebody who has a second factor begin before they have shown it, whoever signs them in.

    One by a passkey or a provider that has just been removed, be it by this, has ended before it begins.
    """
    assert isinstance(row.user, User)  # noqa: S101  (AUTH_USER_MODEL)
    if not policy.is_enough(row.user, row.amr.split()) and not removal.carry_out(row.user.pk):
        raise SignInHeld
    if (way_in := _way_in(row)) is not None and not way_in.exists():
        row.revoked_at, row.reason = timezone.now(), RefreshToken.Reason.FACTORS


def _way_in(row: RefreshToken) -> QuerySet[Passkey] | QuerySet[Identity] | None:
    """Return what the session may have begun by, of a passkey or a provider; None of another method."""
    if row.method == RefreshToken.Method.PASSKEY:
        return Passkey.objects.filter(user=row.user_id)
    return None if row.method in RefreshToken.Method else Identity.objects.filter(user=row.user_id, provider=row.method)


@receiver(session_started)
def record_sign_in(request: HttpRequest | None, row: RefreshToken, **kwargs: object) -> None:
    """Record the sign-in, and write to the user if their account does not know the browser."""
    user = row.user
    new = request and user and new_browser_alert.is_new_browser(request, user, row)
    alerted = user if new and user and new_browser_alert.can_notify(user) else None
    with transaction.atomic():
        if alerted:
            outbox.enqueue("new_browser", alerted, request, failures=new_browser_alert.recent_failures(alerted))
        SecurityEvent.objects.record(request, user, Kind.SIGNED_IN, session_id=row.pk, method=row.method, amr=row.amr)


@receiver(session_ended)
def record_end(request: HttpRequest, row: RefreshToken, **kwargs: object) -> None:
    """Record that a session was ended by its user or by an administrator."""
    if row.reason == RefreshToken.Reason.SIGNED_OUT:
        SecurityEvent.objects.record(request, row.user, Kind.SIGNED_OUT, session_id=row.pk)
    elif row.reason == RefreshToken.Reason.ADMIN:
        SecurityEvent.objects.record(request, row.user, Kind.SESSION_ENDED, session_id=row.pk, actor=request.user)


@receiver(user_login_failed)
def record_failure(credentials: dict[str, object], request: HttpRequest | None = None, **kwargs: object) -> None:
    """Record a failed sign-in by one query and one insert, whether or not the user exists: the time reveals nothing."""
    user = User.objects.first_by_login(str(credentials.get("username", "")))
    with transaction.atomic():
        SecurityEvent.objects.record_attempt(request, user, Kind.SIGN_IN_FAILED)


@receiver(probe_sent)
def record_stale_token(request: HttpRequest, row: RefreshToken, at: datetime, **kwargs: object) -> None:
    """Record that an old refresh token was used, which may turn out to be harmless."""
    SecurityEvent.objects.record(request, row.user, Kind.COPY_TRIED, session_id=row.pk, created_at=at)


@receiver(probe_answered)
def withdraw_stale_token(sid: str, at: datetime, **kwargs: object) -> None:
    """Withdraw what was recorded of this use of an old refresh token, now that it turned out to be harmless."""
    SecurityEvent.objects.filter(session_id=sid, created_at=at).withdraw()


@receiver(device_unproven)
def record_unproven(request: HttpRequest, sid: str, **kwargs: object) -> None:
    """Record that a browser could not prove the device of a session, and tell the user: each once a day.

    It may be a copy of the cookies, with which somebody may come as often as they like.
    """
    row = RefreshToken.objects.on_primary().select_related("user").filter(pk=sid).first()
    if row is None or row.user is None:
        return
    since = timezone.now() - timedelta(days=1)
    recent = SecurityEvent.objects.filter(user=row.user, kind=Kind.DEVICE_UNPROVEN, created_at__gt=since)
    if recent.filter(session_id=row.pk).exists():
        return
    with transaction.atomic():
        locks.lock_for_update(row.user.pk)  # another request may be here as well
        told = set(recent.values_list("session_id", flat=True))
        if row.pk not in told:
            SecurityEvent.objects.record(request, row.user, Kind.DEVICE_UNPROVEN, session_id=row.pk)
        if not told:
            outbox.enqueue("device_unproven", row.user, request)


@receiver(reuse_found)
def record_reuse(request: HttpRequest | None, row: RefreshToken, **kwargs: object) -> None:
    """Record that a refresh token was reused, warn the user, and ask them about it once they sign in again."""
    with transaction.atomic():
        user = User.objects.filter(pk=row.user_id).first() if row.user_id else None
        SecurityEvent.objects.record(request, user, Kind.REUSE_FOUND, session_id=row.pk)
        if user:
            trusted_browsers.distrust(user)  # what was copied with the token may be trusted
            checkup.start(user)
            outbox.enqueue("reuse_found", user, request)


@receiver(all_ending)
def distrust_browsers(user: User | None, **kwargs: object) -> None:
    """Ask for the second factor in every browser again, of one user or of everybody."""
    if user is None:
        TrustedBrowser.objects.all().delete()
    else:
        trusted_browsers.distrust(user)


@receiver(post_save, sender=OutgoingMail)
def notify_mail_worker(created: bool, **kwargs: object) -> None:
    """Wake the mail worker once a new mail is committed."""
    if created:
        transaction.on_commit(lambda: worker.notify(), robust=True)


@receiver(request_started)
def start_mail_worker(**kwargs: object) -> None:
    """Start the mail worker on any server: a process that answers requests also sends the mails that others left."""
    worker.start()


@receiver(pre_delete, sender=User)
def anonymise_deleted_user(instance: User, **kwargs: object) -> None:
    """Anonymise the rows that outlive a user who is about to be deleted."""
    deletion.anonymise(instance)
