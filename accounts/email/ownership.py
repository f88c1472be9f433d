"""Tell who owns an email: whoever has confirmed it, or can still restore it. Typing an email gives no claim to it."""

from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts.mails import outbox
from accounts.models import EmailVerification, User


class EmailTaken(Exception):
    """Report that the email belongs to another account."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Represent the `user` who owns an email: now, or because they can still undo the `change` that replaced it."""

    user: User
    change: EmailVerification | None = None

    def notify(self, request: HttpRequest, kind: str, verification: EmailVerification) -> None:
        """Tell the owner that `verification` asks for their email; `kind` is the mail for those who have it now."""
        asked = str(verification.pk)
        if self.change:
            previous_email, key = self.change.previous_email, str(self.change.pk)
            outbox.enqueue("email_reserved", self.user, request, to=previous_email, verification=key, asked=asked)
        else:
            outbox.enqueue(kind, self.user, request, asked=asked)


def find_owner(email: str, *, other_than: User | None = None) -> Owner | None:
    """Return who owns `email`, or None. Both queries always run, so the duration reveals nothing."""
    users = User.objects.by_login(email).exclude(email_verified_at=None)
    changes = EmailVerification.objects.reserving(email)
    if other_than:
        users, changes = users.exclude(pk=other_than.pk), changes.exclude(user=other_than)
    user, change = users.first(), changes.select_related("user").first()
    if user:
        return Owner(user)
    return Owner(change.user, change) if change and change.user else None


def has_confirmed(user: User, email: str) -> bool:
    """Return whether `user` has confirmed `email`, which is theirs or was until a change that can still be undone."""
    if email == user.email:
        return user.email_verified_at is not None
    return EmailVerification.objects.reserving(email).filter(user=user).exists()


def claim(user: User, email: str) -> None:
    """Make `email` the confirmed email of `user`, who is locked and has just proved access to it. Raise EmailTaken.

    The owner is looked up after the write: by then a change that frees and reserves the email has been committed,
    because the unique index waits for it.
    """
    try:
        with transaction.atomic():
            user.email, user.email_verified_at = email, timezone.now()
            user.save(update_fields=["email", "email_verified_at"])
            if find_owner(email, other_than=user):
                raise EmailTaken
    except IntegrityError:
        raise EmailTaken from None
