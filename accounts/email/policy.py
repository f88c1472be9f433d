"""What somebody may do whose address is not confirmed yet: `UNVERIFIED_MAY` is everything, account or nothing.

`verified_at` is a claim of the access token (TOKENS_USER_CLAIMS), so to ask costs no query; whatever sets it has the
tokens made anew, as every change of a claim does.
"""

from django.conf import settings

from accounts.models import User


def may_sign_in(user: User) -> bool:
    return settings.UNVERIFIED_MAY != "nothing" or user.verified_at is not None


def may_open(user: User, *, account: bool) -> bool:
    """Whether `user` may open a page that is closed to strangers; `account`: one that guards the account itself, which
    is open to whoever has signed in."""
    return account or settings.UNVERIFIED_MAY == "everything" or user.verified_at is not None
