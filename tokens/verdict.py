"""Whether a stale refresh token is a late request or an old copy."""

from __future__ import annotations

from . import signals
from .branches import Branch, take
from .exceptions import ReusedToken, StaleToken
from .jwts import RefreshClaims
from .models import RefreshToken
from .probe import Probe
from .signin import TokenRequest


def judge(request: TokenRequest, row: RefreshToken, claims: RefreshClaims) -> None:
    """Asks the browser of a stale token for something newer, or finds that it has nothing. Nobody can tell then which
    of the two who hold the sign-in is the thief: it ends for both (RFC 9700 §4.14.2). A client without a jar shows
    what it has: there is nothing to ask."""
    sign_in = request.tokens
    if sign_in.bearer or sign_in.probe == Probe(claims.sid, claims.jti):
        take(Branch.REUSED, claims.sid)
        if count := RefreshToken.objects.revoke_reused(row):
            signals.reuse_found.send_robust(RefreshToken, request=request, row=row, count=count)
        row.refresh_from_db(fields=["reason"])  # another request may have ended it, and for another reason
        raise ReusedToken(claims.sid, row.reason)
    sign_in.probe = None  # of another token, or none
    if not row.probed_in_vain(claims.jti):
        take(Branch.PROBED, claims.sid)
        if row.probe(claims.jti):
            signals.probe_sent.send_robust(RefreshToken, request=request, row=row)
        raise StaleToken(claims.sid, claims.jti)


def answered(request: TokenRequest, sid: str) -> None:
    """Takes back the probe that this request came with, if it comes with something newer of the same row `sid`."""
    probe = request.tokens.probe
    if probe and probe.sid == sid and RefreshToken.objects.answered(probe.sid, probe.jti):
        take(Branch.ANSWERED, sid)
        signals.probe_answered.send_robust(RefreshToken, request=request, sid=sid)
