"""Side work on what `tokens` and Django tell: the history of an account, and mails."""

from typing import Any

from django.contrib.auth.signals import user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from accounts import mails
from accounts.models import SecurityEvent, User
from tokens.models import RefreshToken
from tokens.signals import probe_answered, probe_sent, reuse_found, session_ended, session_started

Kind = SecurityEvent.Kind


@receiver(session_started)
def record_sign_in(request: HttpRequest | None, row: RefreshToken, **kwargs: Any) -> None:
    SecurityEvent.objects.record(request, row.user, Kind.SIGNED_IN, session=row.pk)


@receiver(session_ended)
def record_end(request: HttpRequest, row: RefreshToken, **kwargs: Any) -> None:
    if row.reason == RefreshToken.Reason.SIGNED_OUT:
        SecurityEvent.objects.record(request, row.user, Kind.SIGNED_OUT, session=row.pk)
    elif row.reason == RefreshToken.Reason.ADMIN:
        SecurityEvent.objects.record(request, row.user, Kind.SESSION_ENDED, session=row.pk, by=request.user)


@receiver(user_login_failed)
def record_failure(credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any) -> None:
    """One query and one row, whether or not there is such a person: the time tells nothing."""
    user = User.objects.named(str(credentials.get("username", ""))).first()
    SecurityEvent.objects.record(request, user, Kind.SIGN_IN_FAILED)


@receiver(probe_sent)
def record_copy(request: HttpRequest, row: RefreshToken, **kwargs: Any) -> None:
    SecurityEvent.objects.record(request, row.user, Kind.COPY_TRIED, session=row.pk)


@receiver(probe_answered)
def withdraw_copy(sid: str, **kwargs: Any) -> None:
    SecurityEvent.objects.filter(session=sid).withdraw()


@receiver(reuse_found)
def tell_of_reuse(request: HttpRequest | None, row: RefreshToken, **kwargs: Any) -> None:
    event = SecurityEvent.objects.record(request, row.user, Kind.REUSE_FOUND, session=row.pk)
    if row.user:
        mails.send(
            "reuse_found",
            row.user.email,
            user=row.user,
            at=timezone.localtime(event.at),
            address=event.address,
            device=event.device,
            password_link=mails.link("password_change"),
            reset_link=mails.link("password_reset"),
            activity_link=mails.link("activity"),
        )
