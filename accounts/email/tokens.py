"""What answers the verification of an address: the token of its link, its code, and the token that takes a change back.

They are derived whenever they are needed, each with a salt of its own, so that none passes for another.
"""

import json
from collections.abc import Callable

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.http import urlsafe_base64_encode

from accounts.models import EmailVerification

CODE_DIGITS = 6
_SALT = "accounts.email.tokens"

Secret = str | bytes


def link_token(verification: EmailVerification, secret: Secret | None = None) -> str:
    """256 bits, for the URL of the link that confirms."""
    return urlsafe_base64_encode(_digest("link", _bound_parts(verification), secret))


def code(verification: EmailVerification, secret: Secret | None = None) -> str:
    """Six digits, to be typed; each of the million as likely as any other."""
    number = int.from_bytes(_digest("code", _bound_parts(verification), secret))
    return f"{number % 10**CODE_DIGITS:0{CODE_DIGITS}}"


def undo_token(verification: EmailVerification, secret: Secret | None = None) -> str:
    """256 bits, for the URL of the link that puts the address back; whoever took the account cannot make it stale."""
    return urlsafe_base64_encode(
        _digest("undo", [str(verification.pk), verification.email, verification.previous_email], secret)
    )


def stamp(verification: EmailVerification, secret: Secret | None = None) -> str:
    """What a mail that waits to be sent knows its verification by: has the person got another password or address
    meanwhile, it no longer fits. It opens nothing."""
    return urlsafe_base64_encode(_digest("stamp", _bound_parts(verification), secret))


def matches(made: Callable[[EmailVerification, Secret], str], verification: EmailVerification, given: str) -> bool:
    """Whether `given` is what `made` makes of `verification` with today's secret key, or with one of
    SECRET_KEY_FALLBACKS."""
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return any(constant_time_compare(made(verification, secret), given) for secret in secrets)


def _bound_parts(verification: EmailVerification) -> list[str]:
    """Changes with the password and the address of the person. Nobody (`verification.user` is None) has neither."""
    user = verification.user
    bound = [user.password_version, user.email] if user else ["", ""]
    return [str(verification.pk), verification.email, *bound]


def _digest(purpose: str, parts: list[str], secret: Secret | None) -> bytes:
    return salted_hmac(f"{_SALT}.{purpose}", json.dumps(parts), secret=secret, algorithm="sha256").digest()
