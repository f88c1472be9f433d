"""The mark: a short-lived cookie, which says that a browser has lately proven possession of its session's key.

It opens nothing by itself: a refresh token of a bound row is accepted only beside it.
"""

from __future__ import annotations

from time import time

from django.core import signing
from django.http import HttpRequest, HttpResponseBase

from .. import cookies
from ..conf import conf
from ..core.exceptions import UnprovenToken
from ..models import RefreshToken


def write(response: HttpResponseBase, sid: str) -> None:
    """Set the mark of the row `sid`, which has just proven possession of its key."""
    lifetime = int(conf.bound_lifetime)
    cookies.write_bound(response, sign(sid, int(time()) + lifetime), lifetime)


def require(request: HttpRequest, row: RefreshToken) -> int | None:
    """Return until when (Unix, seconds) the browser's mark is good; None for a row that needs none.

    Raises UnprovenToken if there is no good mark of this row.
    """
    if not row.bound_key or not conf.bound_lifetime:
        return None
    until = good_until(cookies.read(request, cookies.name_of("bound")) or "", str(row.pk))
    if time() >= until:
        raise UnprovenToken(f"A refresh token of the bound session {row.pk} came without a good mark.")
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
