"""An account for somebody new, without telling anybody else who has one."""

from django.db import IntegrityError, transaction
from django.http import HttpRequest

from accounts import mails
from accounts.models import SecurityEvent, User


def sign_up(request: HttpRequest, user: User) -> None:
    """Save `user` (not saved yet, its password hashed) if its name and address are free.

    The outcome is told by one mail in every case, and to its reader alone. The unique indexes
    decide, so two people who want the same at the same moment are no special case.
    """
    try:
        with transaction.atomic():
            user.save()
            SecurityEvent.objects.record(request, user, SecurityEvent.Kind.SIGNED_UP)
    except IntegrityError:
        _tell_of_conflict(request, user)
    else:
        mails.send("account_ready", user, request)


def _tell_of_conflict(request: HttpRequest, wanted: User) -> None:
    """The owner of the address reads that the account exists; anybody else, that the name is taken."""
    owner = User.objects.named(wanted.email).first()
    if owner:
        mails.send("account_exists", owner, request)  # at the address as stored: what was typed may only look like it
    else:
        mails.send("name_taken", None, request, to=wanted.email, name=wanted.username)
