"""What somebody may do whose address is not confirmed yet: `EMAIL_VERIFICATION` is optional, account or mandatory.

`email_verified_at` is a claim of the access token (TOKENS_USER_CLAIMS), so to ask costs no query; whatever sets it has
the tokens made anew, as every change of a claim does.
"""

from django.conf import settings

from accounts.models import User


def can_sign_in(user: User) -> bool:
    return settings.EMAIL_VERIFICATION != "mandatory" or user.email_verified_at is not None


def can_open(user: User, *, account: bool) -> bool:
    """Whether `user` may open a page that is closed to strangers; `account`: one that guards the account itself, which
    is open to whoever has signed in."""
    return account or settings.EMAIL_VERIFICATION == "optional" or user.email_verified_at is not None
