"""The mark: a short-lived cookie, which says that a browser has recently proven possession of its session's key.

It opens nothing by itself. A refresh, a page that guards the account and a sign-out need a young one beside the tokens
of a bound row. It is over with the access token that was given beside it: browsers prove the key just before a refresh.
"""

from __future__ import annotations

from time import time

from django.core import signing
from django.http import HttpResponseBase

from .. import cookies
from ..conf import conf
from ..core.exceptions import UnprovenToken
from ..models import RefreshToken

# How many seconds a mark is young: no longer than TOKENS_CONFIRM_AFTER, so that whoever copies it with the jar confirms
# no token of their own. Browsers allow a key six proofs in nine minutes: work on guarded pages must not need one more
# often than each 108 s.
PROVED_WITHIN = 120
FIRST = 10  # seconds that the mark of a registration lives: the next page brings the proof that binds the session


def write(response: HttpResponseBase, row: RefreshToken) -> None:
    """Set the mark of `row`, whose browser has just proven possession of its key, or whose user knew more."""
    lifetime = int(conf.bound_lifetime) if row.bound_proved_at else FIRST
    cookies.write(response, "bound", sign(str(row.pk), int(time()) + lifetime), lifetime)


def require(mark: str | None, row: RefreshToken) -> int | None:
    """Return until when (Unix, seconds) `mark` is good for `row`; None for a row that needs none.

    A key counts once it is proven after its registration: the response to that may have been lost, and the key with it.
    Raises UnprovenToken unless the mark is young.
    """
    if not row.bound_key or not conf.bound_lifetime:
        return None
    if not row.bound_proved_at:
        return int(time() + conf.bound_lifetime)
    until = good_until(mark or "", str(row.pk))
    if time() >= until - conf.bound_lifetime + min(PROVED_WITHIN, conf.confirm_after):
        raise UnprovenToken(str(row.pk))
    return until


def sign(sid: str, until: int) -> str:
    """Return the mark of the row `sid` that is good until `until`."""
    return _signed_by().sign(f"{sid}.{until}")


def good_until(mark: str, sid: str) -> int:
    """Return until when `mark` is good for the row `sid`; 0 unless it is authentic, and of that row."""
    try:
        of, _, until = _signed_by().unsign(mark).rpartition(".")
    except signing.BadSignature:
        return 0
    return int(until) if of == sid else 0


def _signed_by() -> signing.Signer:
    return signing.Signer(salt="tokens.binding.mark")
