"""Create accounts without revealing to anybody else which emails have one."""

from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils.translation import get_language

from accounts.email import verification as email_verification
from accounts.mails import outbox
from accounts.models import SecurityEvent, User

Kind = SecurityEvent.Kind


def sign_up(request: HttpRequest, user: User) -> None:
    """Save `user` (unsaved, with a hashed password) if its user name and email are free.

    In every case one mail tells the outcome, and only its reader learns it. The unique indexes decide, so two sign-ups
    at the same moment are no special case. Each outcome takes one attempted insert, one query, three rows and one
    commit, so its duration reveals nothing. The browser always gets the page that asks for a code, and nobody has a
    code if no account was created.
    """
    user.language = get_language() or ""
    with transaction.atomic():
        made = _saved(user)
        owner = User.objects.by_login(user.email).first()
        SecurityEvent.objects.record(request, owner, Kind.SIGNED_UP if made else Kind.SIGN_UP_REPEATED)
        verification = email_verification.create(request, user if made else None, user.email, user.username)
        if made:
            email_verification.send_link(request, verification)
        else:
            _tell(request, owner, user.email, user.username)


def tell_again(request: HttpRequest, email: str, username: str) -> None:
    """Send the mail of a sign-up that failed to its reader again."""
    with transaction.atomic():
        email_verification.create(request, None, email, username)
        _tell(request, User.objects.by_login(email).first(), email, username)


def _saved(user: User) -> bool:
    """Save the user, and return whether user name and email were free."""
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError:
        return False
    return True


def _tell(request: HttpRequest, owner: User | None, email: str, username: str) -> None:
    """Tell the owner of the email that the account exists; tell anybody else that the user name is taken."""
    if owner:
        # It goes to the email as stored: what was typed may only look like it.
        outbox.enqueue("account_exists", owner, request)
    else:
        outbox.enqueue("username_taken", None, request, to=email, name=username)
