"""What answers the proof of an address: the token of its link, its code, and the token that takes a change back.

They are derived whenever they are needed, each with a salt of its own, so that none passes for another.
"""

import json
from collections.abc import Callable

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.http import urlsafe_base64_encode

from accounts.models import AddressProof, User

CODE_DIGITS = 6
_SALT = "accounts.address_tokens"

Secret = str | bytes


def link_token(proof: AddressProof, secret: Secret | None = None) -> str:
    """256 bits, for the URL of the link that confirms."""
    return urlsafe_base64_encode(_digest("link", _asked(proof), secret))


def code(proof: AddressProof, secret: Secret | None = None) -> str:
    """Six digits, to be typed; each of the million as likely as any other."""
    number = int.from_bytes(_digest("code", _asked(proof), secret))
    return f"{number % 10**CODE_DIGITS:0{CODE_DIGITS}}"


def undo_token(proof: AddressProof, secret: Secret | None = None) -> str:
    """256 bits, for the URL of the link that puts the address back; whoever took the account cannot make it stale."""
    return urlsafe_base64_encode(_digest("undo", [str(proof.pk), proof.address, proof.previous], secret))


def stamp(proof: AddressProof, secret: Secret | None = None) -> str:
    """What a mail that waits to be sent knows its proof by: has the person got another password or address meanwhile,
    it no longer fits. It opens nothing."""
    return urlsafe_base64_encode(_digest("stamp", _asked(proof), secret))


def fits(made: Callable[[AddressProof, Secret], str], proof: AddressProof, given: str) -> bool:
    """Whether `given` is what `made` makes of `proof` with today's secret key, or with one of SECRET_KEY_FALLBACKS."""
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return any(constant_time_compare(made(proof, secret), given) for secret in secrets)


def _asked(proof: AddressProof) -> list[str]:
    """Changes with the password and the address of the person. Nobody (`proof.user` is None) has neither."""
    user = proof.user or User()
    return [str(proof.pk), proof.address, user.password, user.email]


def _digest(purpose: str, parts: list[str], secret: Secret | None) -> bytes:
    return salted_hmac(f"{_SALT}.{purpose}", json.dumps(parts), secret=secret, algorithm="sha256").digest()
