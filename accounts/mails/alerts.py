"""Send mails about what could harm an account to every email that can still get it back, not only to its own."""

from typing import Any

from django.http import HttpRequest

from accounts.mails import outbox
from accounts.models import EmailVerification, User


def notify_all(kind: str, user: User, request: HttpRequest | None = None, **context: Any) -> None:
    """Write to the email of `user` and to each previous one that can still be restored: a thief may have changed it."""
    outbox.enqueue(kind, user, request, **context)
    notify_previous(kind, user, request, **context)


def notify_previous(kind: str, user: User, request: HttpRequest | None = None, **context: Any) -> None:
    """Write to each previous email that can still be restored, with the link that does it; to the latest one last."""
    latest: dict[str, EmailVerification] = {}
    for change in EmailVerification.objects.filter(user=user).changes().order_by("-confirmed_at"):
        latest.setdefault(change.previous_email.lower(), change)
    latest.pop(user.email.lower(), None)
    for change in reversed(latest.values()):
        outbox.enqueue(kind, user, request, to=change.previous_email, verification=str(change.pk), **context)
