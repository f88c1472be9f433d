"""Challenges: what a browser signs to prove possession of a key. They are signed themselves, so none is stored.

A registration's is in the header of the one response that begins a session: a jar that is copied has none. A refresh's
tells its moment, and is good once: only if that is later than the last proof that the row has accepted.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.core import signing
from django.urls import reverse
from django.utils import timezone

from ..conf import conf
from ..core.exceptions import InvalidToken
from ..core.proofs import ALGORITHMS
from ..models import RefreshToken

PATIENCE = 300  # seconds for a registration, or for a refresh after the mark is over
REGISTRATION = "tokens.binding.registration"
REFRESH = "tokens.binding.refresh"


def offer(row: RefreshToken) -> str:
    """Return the value of Secure-Session-Registration for a browser that may register a key for `row`."""
    challenge = signing.dumps(str(row.pk), salt=REGISTRATION)
    path = reverse("tokens_binding:register")
    return f'({" ".join(ALGORITHMS)});path="{path}";challenge="{challenge}"'


def registered(challenge: str) -> str:
    """Return the id of the row that a registration's challenge is for. Raises InvalidToken."""
    try:
        sid: str = signing.loads(challenge, salt=REGISTRATION, max_age=PATIENCE)
    except signing.BadSignature:
        raise InvalidToken("The challenge of a registration is not ours, or too old.") from None
    return sid


def following(row: RefreshToken) -> str:
    """Return the value of Secure-Session-Challenge for the next proof of `row`.

    The challenge is later than the last proof, even if the clock of the server that accepted that was ahead.
    """
    moment = timezone.now()
    if row.bound_proved_at:
        moment = max(moment, row.bound_proved_at + timedelta(microseconds=1))
    challenge = signing.dumps((str(row.pk), moment.isoformat()), salt=REFRESH)
    return f'"{challenge}";id="{row.pk}"'


def moment_of(challenge: str, row: RefreshToken) -> datetime:
    """Return the moment of a challenge for a refresh of `row`. Raises InvalidToken."""
    try:
        sid, moment = signing.loads(challenge, salt=REFRESH, max_age=int(conf.bound_lifetime) + PATIENCE)
    except signing.BadSignature:
        raise InvalidToken("The challenge of a proof is not ours, or too old.") from None
    if sid != str(row.pk):
        raise InvalidToken("The challenge of a proof is for another session.")
    return datetime.fromisoformat(moment)
