"""An account for somebody new, without telling anybody else who has one."""

from django.db import IntegrityError, transaction
from django.http import HttpRequest

from accounts import mails
from accounts.models import SecurityEvent, User

Kind = SecurityEvent.Kind


def sign_up(request: HttpRequest, user: User) -> None:
    """Save `user` (not saved yet, its password hashed) if its name and address are free.

    The outcome is told by one mail in every case, and to its reader alone. The unique indexes
    decide, so two people who want the same at the same moment are no special case. Each outcome
    is one insert that was tried, one question, two rows and one commit: its time tells nothing.
    """
    with transaction.atomic():
        made = _saved(user)
        owner = User.objects.named(user.email).first()
        SecurityEvent.objects.record(request, owner, Kind.SIGNED_UP if made else Kind.ACCOUNT_WANTED)
        if owner:  # at the address as stored: what was typed may only look like it
            mails.send("account_ready" if made else "account_exists", owner, request)
        else:
            mails.send("name_taken", None, request, to=user.email, name=user.username)


def _saved(user: User) -> bool:
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError:
        return False
    return True
