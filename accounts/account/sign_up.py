"""Create accounts without revealing to anybody else which emails have one."""

from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils.translation import get_language

from accounts.email import verification as email_verification
from accounts.email.ownership import EmailTaken, Owner, find_owner
from accounts.mails import outbox
from accounts.models import SecurityEvent, User

Kind = SecurityEvent.Kind


def sign_up(request: HttpRequest, user: User) -> None:
    """Save `user` (unsaved, with a hashed password) if its user name is free and its email is nobody's.

    In every case one mail tells the outcome, and only its reader learns it. Each outcome takes one search for the owner
    of the email, one attempted insert, three others and one commit, so its duration reveals nothing. Two users may sign
    up with the same email: it belongs to the one who confirms it. The browser always gets the page that asks for a
    code, and nobody has a code if no account was created.
    """
    user.language = get_language() or ""
    with transaction.atomic():
        owner = find_owner(user.email)
        made = _saved(user, owner)
        known = user if made else (owner.user if owner else None)
        SecurityEvent.objects.record_attempt(request, known, Kind.SIGNED_UP if made else Kind.SIGN_UP_REPEATED)
        verification = email_verification.create(request, user if made else None, user.email, user.username)
        if made:
            email_verification.send_link(request, verification)
        else:
            _tell(request, owner, user.email, user.username)


def tell_again(request: HttpRequest, email: str, username: str) -> None:
    """Send the mail of a sign-up that failed to its reader again."""
    with transaction.atomic():
        email_verification.create(request, None, email, username)
        _tell(request, find_owner(email), email, username)


def _saved(user: User, owner: Owner | None) -> bool:
    """Save the user, and return whether the user name was free and the email without an `owner`."""
    try:
        with transaction.atomic():
            user.save()
            if owner:
                raise EmailTaken
    except (IntegrityError, EmailTaken):
        return False
    return True


def _tell(request: HttpRequest, owner: Owner | None, email: str, username: str) -> None:
    """Tell the owner of the email that the account exists; tell anybody else that the user name is taken."""
    if owner:
        # It goes to the email as stored: what was typed may only look like it.
        owner.notify(request, "account_exists")
    else:
        outbox.enqueue("username_taken", None, request, to=email, name=username)
