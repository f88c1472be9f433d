"""Decide what users may do before their email is confirmed, by EMAIL_VERIFICATION: optional, account or mandatory.

`email_verified_at` is a claim of the access token (TOKENS_USER_CLAIMS), so reading it costs no query; setting it makes
new tokens, as every change of a claim does.
"""

from django.conf import settings

from accounts.models import User


def can_sign_in(user: User) -> bool:
    """Return whether `user` may sign in."""
    return settings.EMAIL_VERIFICATION != "mandatory" or user.email_verified_at is not None


def can_open(user: User, *, account: bool) -> bool:
    """Return whether `user` may open a page that requires a sign-in.

    With `account` it is a page that guards the account itself, which is open to every user.
    """
    return account or settings.EMAIL_VERIFICATION == "optional" or user.email_verified_at is not None
