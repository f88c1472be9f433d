"""Create accounts without revealing to anybody which emails have one; which user names are taken is no secret."""

from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils.translation import get_language

from accounts.email import verification as email_verification
from accounts.models import SecurityEvent, User


class UsernameTaken(Exception):
    """Report that somebody else has the user name."""


def sign_up(request: HttpRequest, user: User, password: str) -> None:
    """Save `user` (unsaved, with the hash of `password`), and ask their email to confirm itself. Raise UsernameTaken.

    Anybody can sign up with anybody's email: it is theirs once they confirm it. If it belongs to somebody by then, only
    the mail tells, and only to its owner. So the statements, their duration and all that follows are the same.
    """
    user.language = get_language() or ""
    try:
        with transaction.atomic():
            user.save()
            SecurityEvent.objects.record(request, user, SecurityEvent.Kind.SIGNED_UP)
            email_verification.start(request, user, user.email)
    except IntegrityError:  # The unique index of user names decides.
        _sign_up_again(request, user, password)


def _sign_up_again(request: HttpRequest, user: User, password: str) -> None:
    """Take over what is different now if this browser has just signed up with the name. Raise UsernameTaken.

    Its user went back to the form, perhaps to correct it.
    """
    own = email_verification.correctable(request)
    if own is None or own not in User.objects.by_login(user.username):
        raise UsernameTaken
    same_password = own.check_password(password)
    if not same_password or own.email != user.email:
        email_verification.correct(request, user.email, None if same_password else user)
