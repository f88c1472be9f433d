"""Challenges that passkeys sign. None is stored: each holds its moment, random bytes, and a code that only we make."""

import json
import secrets
import time
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from django.conf import settings
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

LIFETIME = timedelta(minutes=5)  # as long as an attempt at a second factor, and as the browser waits
_SALT = "accounts.factors.challenges"
_BODY = 8 + 16  # bytes: microseconds, random


class Purpose(StrEnum):
    """What a challenge is good for; the comment says what its subject is."""

    SIGN_IN = "sign-in"  # no subject: nobody is known yet
    SECOND_FACTOR = "second-factor"  # the attempt
    REAUTHENTICATION = "reauthentication"  # the session
    REGISTRATION = "registration"  # the session
    # The session. The browser makes it unasked after a password was filled in, so nobody is present or verified.
    CONDITIONAL_REGISTRATION = "conditional registration"


class InvalidResponse(Exception):
    """Report a response that proves nothing. The message is the exact cause, for the log and for nobody else."""


def new(purpose: Purpose, subject: str = "") -> bytes:
    """Return a challenge that is good for this purpose and subject until LIFETIME is over."""
    body = (time.time_ns() // 1000).to_bytes(8) + secrets.token_bytes(16)
    return body + _seal(body, purpose, subject, settings.SECRET_KEY)


def moment_of(challenge: bytes, purpose: Purpose, subject: str = "") -> datetime:
    """Return when the challenge was made. Raise InvalidResponse if it was not made for this, or is too old."""
    body, seal = challenge[:_BODY], challenge[_BODY:]
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    if not any(constant_time_compare(seal, _seal(body, purpose, subject, key)) for key in keys):
        raise InvalidResponse("The challenge was not made for this.")
    moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int.from_bytes(body[:8]))
    if timezone.now() - moment > LIFETIME:
        raise InvalidResponse("The challenge is too old.")
    return moment


def _seal(body: bytes, purpose: Purpose, subject: str, key: str | bytes) -> bytes:
    return salted_hmac(_SALT, json.dumps([body.hex(), purpose, subject]), secret=key, algorithm="sha256").digest()
