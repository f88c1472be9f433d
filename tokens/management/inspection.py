"""Explain a token to whoever looks after the site.

For display only: header and claims are shown whoever wrote them. Nothing that authenticates imports this.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from pathlib import Path

from django.db import Error, router, transaction

from .. import verification
from ..conf import conf
from ..core import jwt, keyfile, keys, rotation
from ..core.exceptions import InvalidToken, RevokedToken, TokenError
from ..core.jwt import LARGEST, AccessClaims, RefreshClaims
from ..core.rotation import AccessOutcome, Outcome, Refresh
from ..models import RefreshToken

Members = list[tuple[str, object]]

KINDS = {jwt.ACCESS: "access", jwt.REFRESH: "refresh"}
UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a token says and is worth.

    `header` and `claims` are as in the token, including duplicate members, or None where they are not JSON objects.
    `fault` is the sentence of the first check that the token fails, None if it would be accepted.
    """

    header: Members | None
    claims: Members | None
    kind: str
    times: str
    signature: str
    session: str
    fault: str | None


def inspect(token: str, *, now: float) -> Inspection:
    """Return all that can be said of `token` at the moment `now`. Changes nothing. Raises InvalidKeys."""
    segments = token.split(".")
    header, claims = map(_members, segments[:2]) if len(segments) == 3 else (None, None)
    kind = _kind(dict(header or ()))
    session, fault = _check(token, kind, now)
    times = _times(dict(claims or ()), now)
    return Inspection(header, claims, kind or "neither", times, _signature(token), session, fault)


def in_words(seconds: float) -> str:
    """Return a time span in its largest unit."""
    unit, size = next((pair for pair in UNITS if seconds >= pair[1]), UNITS[-1])
    count = int(seconds // size)
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def _members(segment: str) -> Members | None:
    """Return the members of a JSON object, read leniently, to show what a strict reader refuses."""
    members: Members = []

    def keep(pairs: Members) -> dict[str, object]:
        members[:] = pairs  # the outermost object ends last
        return dict(pairs)

    try:
        value = json.loads(urlsafe_b64decode(segment + "=" * (-len(segment) % 4)), object_pairs_hook=keep)
    except (ValueError, RecursionError):
        return None
    return members if isinstance(value, dict) else None


def _kind(header: dict[str, object]) -> str | None:
    typ = header.get("typ")
    return KINDS.get(typ.lower().removeprefix("application/")) if isinstance(typ, str) else None


def _times(claims: dict[str, object], now: float) -> str:
    told = []
    for name, before, after in (("iat", "made", "made"), ("exp", "expired", "expires")):
        moment = claims.get(name)
        if type(moment) is int and 0 <= moment < LARGEST:
            span = in_words(abs(now - moment))
            told.append(f"{before} {span} ago" if moment <= now else f"{after} in {span}")
    return ", ".join(told) or "it names none"


def _signature(token: str) -> str:
    try:
        kid = jwt.signer(token, ring=conf.key_ring).kid
    except InvalidToken as error:
        return f"not verified: {error}"
    return f"by our key {kid} ({_state(kid)})"


def _state(kid: str) -> str:
    if kid == conf.key_ring.current.kid:
        return keys.CURRENT
    if not conf.keys:
        return "of SECRET_KEY_FALLBACKS"
    entries = keyfile.read(Path(conf.keys))["keys"]
    return next(str(entry["state"]) for entry in entries if kid == (entry.get("kid") or keys.thumbprint(entry)))


def _check(token: str, kind: str | None, now: float) -> tuple[str, str | None]:
    """Return the state of its session, and the first fault."""
    refresh = kind == "refresh"
    try:
        claims = verification.verify_refresh(token) if refresh else verification.verify_access(token)
    except InvalidToken as error:
        return "not looked for", str(error)
    try:
        session, fault = _check_row(claims, now)
    except Error:
        session, fault = "not known: the database does not answer", None
    try:
        jwt.check_times(claims, now=now, lifetime=conf.idle_lifetime if refresh else conf.access_lifetime)
    except TokenError as error:  # comes before the row
        fault = str(error)
    return session, fault


def _check_row(claims: AccessClaims | RefreshClaims, now: float) -> tuple[str, str | None]:
    """Return what the row says, and its fault. All of it is rolled back: reading a dead row stamps it otherwise."""
    using = router.db_for_write(RefreshToken)
    with transaction.atomic(using=using):
        fault = _fault_of_row(claims, now)
        session = _session(claims, now)
        transaction.set_rollback(True, using=using)
    return session, fault


def _fault_of_row(claims: AccessClaims | RefreshClaims, now: float) -> str | None:
    try:
        row = RefreshToken.objects.get_live(claims.sid, claims.sub)
    except RevokedToken as error:
        return str(error)
    if isinstance(claims, RefreshClaims):
        outcome = rotation.decide(row.confirmed, Refresh(claims.gen, claims.jti), now, conf.confirm_after)
        return "Something newer has replaced the refresh token." if outcome is Outcome.STALE else None
    born_with = Refresh(claims.gen, claims.rti)
    access = rotation.decide_access(
        row.confirmed, born_with, new=claims.new, beside=None, now=now, confirm_after=conf.confirm_after
    )
    return "The token counts as expired." if access is AccessOutcome.EXPIRED else None


def _session(claims: AccessClaims | RefreshClaims, now: float) -> str:
    row = RefreshToken.objects.on_primary().filter(pk=claims.sid).first()
    if row is None:
        return "there is no such row"
    generations = f"generation {row.generation}, the token's is {claims.gen}"
    if row.is_live:
        bound = "bound to its device, " if row.bound_proved_at else ""
        return f"live, {bound}{generations}; ends in {in_words(row.expires_at.timestamp() - now)}"
    ended_at = (row.revoked_at or row.expires_at).timestamp()
    reason = RefreshToken.Reason(row.reason or "expired").label
    return f"ended {in_words(max(0, now - ended_at))} ago ({reason}), {generations}"
