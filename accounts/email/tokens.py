"""Derive the secrets that answer an email verification: the token of its link, its code, and the token that undoes it.

They are derived whenever they are needed, each with a salt of its own, so that none passes for another.
"""

import json

from django.utils.crypto import salted_hmac
from django.utils.http import urlsafe_base64_encode

from accounts.mails.links import Secret
from accounts.models import EmailVerification

CODE_DIGITS = 6
_SALT = "accounts.email.tokens"


def link_token(verification: EmailVerification, secret: Secret | None = None) -> str:
    """Return 256 bits, encoded for the URL of the link that confirms the email."""
    return urlsafe_base64_encode(_digest("link", _bound_parts(verification), secret))


def code(verification: EmailVerification, secret: Secret | None = None) -> str:
    """Return the six digits that the user types; all of the million codes are equally likely."""
    number = int.from_bytes(_digest("code", _bound_parts(verification), secret))
    return f"{number % 10**CODE_DIGITS:0{CODE_DIGITS}}"


def undo_token(verification: EmailVerification, secret: Secret | None = None) -> str:
    """Return 256 bits, encoded for the URL of the link that restores the previous email.

    They don't depend on the password or the email, so a thief who took over the account cannot invalidate the link.
    """
    return urlsafe_base64_encode(
        _digest("undo", [str(verification.pk), verification.email, verification.previous_email], secret)
    )


def stamp(verification: EmailVerification, secret: Secret | None = None) -> str:
    """Return what a queued mail recognises its verification by.

    It stops matching once the user has another password or email, so that an outdated mail is not sent. It grants
    nothing.
    """
    return urlsafe_base64_encode(_digest("stamp", _bound_parts(verification), secret))


def _bound_parts(verification: EmailVerification) -> list[str]:
    """Return what the link and the code depend on, which includes the password's version and the email of the user.

    Once it is confirmed, that is the email until then: a link that was used is told from a forged one. A verification
    without a user (`verification.user` is None) has neither.
    """
    user = verification.user
    email = user.email if user else ""
    if verification.confirmed_at:
        email = verification.previous_email or verification.email
    return [str(verification.pk), verification.email, user.password_version if user else "", email]


def _digest(purpose: str, parts: list[str], secret: Secret | None) -> bytes:
    return salted_hmac(f"{_SALT}.{purpose}", json.dumps(parts), secret=secret, algorithm="sha256").digest()
