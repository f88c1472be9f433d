"""An account for somebody new, without telling anybody else who has one."""

from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils.translation import get_language

from accounts.email import verification as email_verification
from accounts.email.ownership import EmailTaken, Owner, find_owner
from accounts.mails import outbox
from accounts.models import SecurityEvent, User

Kind = SecurityEvent.Kind


def sign_up(request: HttpRequest, user: User) -> None:
    """Save `user` (not saved yet, its password hashed) if its name is free and its address nobody's.

    The outcome is told by one mail in every case, and to its reader alone. Each outcome is one look for the owner of
    the address, one insert that was tried, three rows and one commit: its time tells nothing. Two people may sign up
    with the same address; it belongs to the one who proves it.
    The browser finds the same page, which asks for a code, and nobody has one if no account was made.
    """
    user.language = get_language() or ""
    with transaction.atomic():
        owner = find_owner(user.email)
        made = _saved(user, owner)
        known = user if made else (owner.user if owner else None)
        SecurityEvent.objects.record(request, known, Kind.SIGNED_UP if made else Kind.SIGN_UP_REPEATED)
        verification = email_verification.create(request, user if made else None, user.email, user.username)
        if made:
            email_verification.send_link(request, verification)
        else:
            _tell(request, owner, user.email, user.username)


def tell_again(request: HttpRequest, email: str, username: str) -> None:
    """Have the mail of a sign-up that came to nothing sent once more, to the one who read it."""
    with transaction.atomic():
        email_verification.create(request, None, email, username)
        _tell(request, find_owner(email), email, username)


def _saved(user: User, owner: Owner | None) -> bool:
    """Whether `user` could be saved, and stays."""
    try:
        with transaction.atomic():
            user.save()
            if owner:
                raise EmailTaken
    except (IntegrityError, EmailTaken):
        return False
    return True


def _tell(request: HttpRequest, owner: Owner | None, email: str, username: str) -> None:
    """The owner of the address reads that the account exists; anybody else, that the name is taken."""
    if owner:
        owner.notify(request, "account_exists")  # at the address as stored: what was typed may only look like it
    else:
        outbox.enqueue("username_taken", None, request, to=email, name=username)
