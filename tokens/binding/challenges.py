"""Challenges: what a browser signs to prove possession of a key. They are signed themselves, so none is stored.

A registration's is in the header of the one response that begins a session: a jar that is copied has none. Each tells
its moment, and is good once: only if that is later than what the row has accepted last.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.core import signing
from django.urls import reverse
from django.utils import timezone

from ..conf import conf
from ..core.exceptions import InvalidChallenge
from ..core.proofs import ALGORITHMS
from ..models import RefreshToken

LIFETIME = 300  # seconds of a registration's; a refresh's lives on for as long after the mark is over
REGISTRATION = "tokens.binding.registration"
REFRESH = "tokens.binding.refresh"


def offer(row: RefreshToken) -> str:
    """Return the value of Secure-Session-Registration for a browser that may register a key for `row`."""
    challenge = _sign(row, timezone.now(), REGISTRATION)
    path = reverse("tokens_binding:register")
    return f'({" ".join(ALGORITHMS)});path="{path}";challenge="{challenge}"'


def registered(challenge: str) -> tuple[str, datetime]:
    """Return the id of the row that a registration's challenge is for, and its moment. Raises InvalidChallenge."""
    return _read(challenge, REGISTRATION, LIFETIME)


def following(row: RefreshToken) -> str:
    """Return the value of Secure-Session-Challenge for the next proof of `row`.

    The challenge is later than the last proof, even if the clock of the server that accepted that was ahead.
    """
    moment = timezone.now()
    if row.bound_proved_at:
        moment = max(moment, row.bound_proved_at + timedelta(microseconds=1))
    return f'"{_sign(row, moment, REFRESH)}";id="{row.pk}"'


def moment_of(challenge: str, row: RefreshToken) -> datetime:
    """Return the moment of a challenge for a refresh of `row`. Raises InvalidChallenge."""
    sid, moment = _read(challenge, REFRESH, int(conf.bound_lifetime) + LIFETIME)
    if sid != str(row.pk):
        raise InvalidChallenge("The challenge of a proof is for another session.")
    return moment


def _sign(row: RefreshToken, moment: datetime, salt: str) -> str:
    return signing.dumps((str(row.pk), moment.isoformat()), salt=salt)


def _read(challenge: str, salt: str, max_age: int) -> tuple[str, datetime]:
    try:
        sid, moment = signing.loads(challenge, salt=salt, max_age=max_age)
    except signing.BadSignature:
        raise InvalidChallenge("The challenge is not ours, or too old.") from None
    return sid, datetime.fromisoformat(moment)
