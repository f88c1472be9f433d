"""Mails about what could harm an account go to every address that can get it back, and not to its own alone."""

from typing import Any

from django.http import HttpRequest

from accounts.mails import outbox
from accounts.models import EmailVerification, User


def notify_all(kind: str, user: User, request: HttpRequest | None = None, **facts: Any) -> None:
    """Tell the address of `user`, and each that it had before and can still put back: a thief may have changed it."""
    outbox.enqueue(kind, user, request, **facts)
    notify_previous(kind, user, request, **facts)


def notify_previous(kind: str, user: User, request: HttpRequest | None = None, **facts: Any) -> None:
    """Tell each address that can still be put back, by a mail with the link that does it; the latest one last."""
    latest: dict[str, EmailVerification] = {}
    for change in EmailVerification.objects.filter(user=user).changes().order_by("-confirmed_at"):
        latest.setdefault(change.previous_email.lower(), change)
    latest.pop(user.email.lower(), None)
    for change in reversed(latest.values()):
        outbox.enqueue(kind, user, request, to=change.previous_email, verification=str(change.pk), **facts)
