"""What can be said of a token, for whoever looks after the site.

For eyes alone: the header and the claims are shown whoever wrote them. Nothing that authenticates imports this.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import Error, transaction

from . import jwks, jwts, keyfile, rotation, verified
from .conf import conf
from .exceptions import ExpiredToken, InvalidToken, RevokedToken, StaleToken, TokenError
from .jwts import LARGEST, AccessClaims, RefreshClaims
from .keys import thumbprint
from .models import RefreshToken
from .rotation import Outcome, Refresh

Members = list[tuple[str, Any]]

KINDS = {jwts.ACCESS: "access", jwts.REFRESH: "refresh"}
UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


@dataclass(frozen=True, slots=True)
class Findings:
    """`header` and `claims` stand as in the token, doubled members and all, and None where they are no JSON object.
    `fault` is the sentence of the first check that the token fails, None if it would be taken."""

    header: Members | None
    claims: Members | None
    kind: str
    times: str
    signature: str
    session: str
    fault: str | None


def findings(token: str, *, now: float) -> Findings:
    """All that can be said of `token` at the moment `now`. Changes nothing. Raises InvalidKeys."""
    segments = token.split(".")
    header, claims = map(_members, segments[:2]) if len(segments) == 3 else (None, None)
    kind = _kind(dict(header or ()))
    session, fault = _judged(token, kind, now)
    times = _times(dict(claims or ()), now)
    return Findings(header, claims, kind or "neither", times, _signature(token), session, fault)


def in_words(seconds: float) -> str:
    """A span, in its largest unit."""
    unit, size = next((pair for pair in UNITS if seconds >= pair[1]), UNITS[-1])
    count = int(seconds // size)
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def _members(segment: str) -> Members | None:
    """The members of a JSON object; read leniently, to show what a strict reader refuses."""
    members: Members = []

    def keep(pairs: Members) -> dict[str, Any]:
        members[:] = pairs  # the outermost object ends last
        return dict(pairs)

    try:
        value = json.loads(urlsafe_b64decode(segment + "=" * (-len(segment) % 4)), object_pairs_hook=keep)
    except (ValueError, RecursionError):
        return None
    return members if isinstance(value, dict) else None


def _kind(header: dict[str, Any]) -> str | None:
    typ = header.get("typ")
    return KINDS.get(typ.lower().removeprefix("application/")) if isinstance(typ, str) else None


def _times(claims: dict[str, Any], now: float) -> str:
    told = []
    for name, before, after in (("iat", "made", "made"), ("exp", "expired", "expires")):
        moment = claims.get(name)
        if type(moment) is int and 0 <= moment < LARGEST:
            span = in_words(abs(now - moment))
            told.append(f"{before} {span} ago" if moment <= now else f"{after} in {span}")
    return ", ".join(told) or "it names none"


def _signature(token: str) -> str:
    try:
        kid = jwts.signer(token, ring=conf.key_ring).kid
    except InvalidToken as error:
        return f"not verified: {error}"
    return f"by our key {kid} ({_state(kid)})"


def _state(kid: str) -> str:
    if kid == conf.key_ring.current.kid:
        return jwks.CURRENT
    if not conf.keys:
        return "of SECRET_KEY_FALLBACKS"
    entries = keyfile.read(Path(conf.keys))["keys"]
    return next(str(entry["state"]) for entry in entries if kid == (entry.get("kid") or thumbprint(entry)))


def _judged(token: str, kind: str | None, now: float) -> tuple[str, str | None]:
    """How its session stands, and the first fault."""
    refresh = kind == "refresh"
    try:
        claims = verified.refresh(token) if refresh else verified.access(token)
    except InvalidToken as error:
        return "not looked for", str(error)
    try:
        session, fault = _looked_up(claims, now)
    except Error:
        session, fault = "not known: the database does not answer", None
    try:
        jwts.check_times(claims, now=now, lifetime=conf.idle_lifetime if refresh else conf.access_lifetime)
    except TokenError as error:  # comes before the row
        fault = error
    return session, str(fault) if fault else None


def _looked_up(claims: AccessClaims | RefreshClaims, now: float) -> tuple[str, TokenError | None]:
    """What the row is and says. All of it is taken back: whoever reads a dead row otherwise stamps it."""
    with transaction.atomic(using=RefreshToken.objects.db):
        fault = _fault_of_row(claims, now)
        session = _session(claims, now)
        transaction.set_rollback(True, using=RefreshToken.objects.db)
    return session, fault


def _fault_of_row(claims: AccessClaims | RefreshClaims, now: float) -> TokenError | None:
    try:
        row = RefreshToken.objects.read(claims.sid, claims.sub)
    except RevokedToken as error:
        return error
    if isinstance(claims, RefreshClaims):
        outcome = rotation.decide(row.confirmed, Refresh(claims.gen, claims.jti), now, conf.confirm_after)
        return StaleToken(claims.sid, claims.jti) if outcome is Outcome.STALE else None
    overtaken = row.confirmed != Refresh(claims.gen, claims.rti) and row.generation != claims.gen - 1
    if claims.new and overtaken and rotation.settled(claims.rti, now, conf.confirm_after):
        return ExpiredToken("The token counts as expired.")
    return None


def _session(claims: AccessClaims | RefreshClaims, now: float) -> str:
    row = RefreshToken.objects.filter(pk=claims.sid).first()
    if row is None:
        return "there is no such row"
    generations = f"generation {row.generation}, the token's is {claims.gen}"
    if row.is_live:
        return f"live, {generations}; ends in {in_words(row.expires_at.timestamp() - now)}"
    ended_at = (row.revoked_at or row.expires_at).timestamp()
    reason = RefreshToken.Reason(row.reason or "expired").label
    return f"ended {in_words(max(0, now - ended_at))} ago ({reason}), {generations}"
