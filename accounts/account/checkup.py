"""Ask users about a copy of their session that was used: what happened, and whether it was them.

`User.reuse_unanswered` says that they have not answered yet. It is a claim of the access token (TOKENS_USER_CLAIMS), so
the banner on every page costs no query. A new password answers as well (`User.set_password`). What happened stays
recorded whoever answers, and the mail has left: a thief who knows the password can take away the banner and no more.
"""

from dataclasses import dataclass

from django.db import transaction
from django.http import HttpRequest

from accounts.account.geoip import location
from accounts.account.sessions import Session
from accounts.models import SecurityEvent, User
from tokens.models import RefreshToken

Kind = SecurityEvent.Kind


@dataclass(frozen=True)
class Finding:
    """Describe the use of a copy: the event, and the session that was copied unless its row is gone."""

    event: SecurityEvent
    session: Session | None

    @property
    def location(self) -> str:
        """Return from which city and country the copy, or the original, was used, or ""."""
        return location(self.event.ip_address)


def start(user: User) -> None:
    """Ask `user` about a copy that was found, in all of their browsers."""
    User.objects.filter(pk=user.pk).update(reuse_unanswered=True)
    RefreshToken.objects.bump_for([user])


def latest_finding(user: User) -> Finding | None:
    """Return the latest use of a copy; the page of activity lists earlier ones."""
    event = SecurityEvent.objects.of(user).filter(kind=Kind.REUSE_FOUND).first()
    if event is None:
        return None
    row = RefreshToken.objects.for_user(user).filter(pk=event.session_id).first()
    return Finding(event, Session(row) if row else None)


def answer(request: HttpRequest, user: User) -> bool:
    """Record that `user` says it was them, and ask no longer, in any browser; return whether they were asked."""
    with transaction.atomic():
        asked = bool(User.objects.filter(pk=user.pk, reuse_unanswered=True).update(reuse_unanswered=False))
        if asked:
            RefreshToken.objects.bump_for([user])
            SecurityEvent.objects.record(request, user, Kind.REUSE_ANSWERED)
    return asked
