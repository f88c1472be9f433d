"""Who owns an email address: whoever proved it and has it, or may still take it back. To have typed it is no claim."""

from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts.mails import outbox
from accounts.models import EmailVerification, User


class EmailTaken(Exception):
    """The address is somebody else's."""


@dataclass(frozen=True, slots=True)
class Owner:
    """`change` took the address from `user` and can still be undone; None if they have it now."""

    user: User
    change: EmailVerification | None = None

    def notify(self, request: HttpRequest, kind: str) -> None:
        """Tell whoever reads the address that somebody asked for it; `kind` is the mail for those who have it now."""
        if self.change:
            previous_email, key = self.change.previous_email, str(self.change.pk)
            outbox.enqueue("email_reserved", self.user, request, to=previous_email, verification=key)
        else:
            outbox.enqueue(kind, self.user, request)


def find_owner(email: str, *, other_than: User | None = None) -> Owner | None:
    """Return who owns `email`, or None. It asks both questions in any case: the time tells nothing."""
    users = User.objects.by_login(email).exclude(email_verified_at=None)
    changes = EmailVerification.objects.reserving(email)
    if other_than:
        users, changes = users.exclude(pk=other_than.pk), changes.exclude(user=other_than)
    user, change = users.first(), changes.select_related("user").first()
    if user:
        return Owner(user)
    return Owner(change.user, change) if change and change.user else None


def claim(user: User, email: str) -> None:
    """Make `email` the confirmed address of `user`, who is locked and has just proved it. Raises EmailTaken.

    The question comes after the write: a change that frees the address and reserves it has committed by then, for the
    unique index waits for it.
    """
    try:
        with transaction.atomic():
            user.email, user.email_verified_at = email, timezone.now()
            user.save(update_fields=["email", "email_verified_at"])
            if find_owner(email, other_than=user):
                raise EmailTaken
    except IntegrityError:
        raise EmailTaken from None
