"""What the two tokens that came along are worth, each by itself."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from time import time
from uuid import uuid4

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import Error

from . import issue, jwts, rotation, users, verdict, verified
from .branches import Branch, take
from .conf import conf
from .exceptions import InvalidToken
from .jwts import AccessClaims, RefreshClaims
from .models import RefreshToken
from .revocations import revocations
from .rotation import Outcome, Refresh
from .signin import SignIn, TokenRequest

logger = logging.getLogger("tokens")

By = Callable[..., AbstractBaseUser | None]

TAKEN = {
    Outcome.CHILD: Branch.CHILD,
    Outcome.KEEP: Branch.KEPT,
    Outcome.CONFIRM: Branch.CONFIRMED_BY_REFRESH,
    Outcome.BEHIND: Branch.BEHIND,
}


def by_access(request: TokenRequest, *, guarded: bool, judged: bool) -> AbstractBaseUser | None:
    """The person of a good access token; None if there is none, or if it counts as expired. Raises TokenError."""
    sign_in = request.tokens
    if sign_in.access is None:
        return None
    claims, person = verified.read(sign_in.access)
    jwts.check_times(claims, now=time(), lifetime=conf.access_lifetime)
    heard = revocations().entry(claims.sid, RefreshToken.objects.changed_within)
    if heard or guarded:
        sign_in.row = RefreshToken.objects.read(claims.sid, claims.sub)
    current = _settled(sign_in, claims)
    if current and sign_in.row and sign_in.row.version != claims.ver:
        current = issue.remade(current, sign_in.row)
    if current is None:
        return None
    if current is not claims:
        # What was confirmed is set again: an older response may have put a sibling into the jar meanwhile, and that
        # would be found stale only when this access token is over.
        confirmed = verified.refresh(sign_in.refresh) if sign_in.refresh and claims.new and not current.new else None
        sign_in.send(replace(current, jti=str(uuid4())), confirmed, heard)
    sign_in.claims = current
    return sign_in.row.user if sign_in.row else users.twin(person)


def _settled(sign_in: SignIn, claims: AccessClaims) -> AccessClaims | None:
    """`claims` without the mark of a new generation, once that is confirmed; None if they count as expired."""
    if not claims.new or not rotation.settled(claims.rti, time(), conf.confirm_after):
        return claims
    refresh = Refresh(claims.gen, claims.rti)
    if sign_in.refresh is None:  # no jar that could have settled on anything: the row is asked, and nothing written
        row = sign_in.row or RefreshToken.objects.read(claims.sid, claims.sub)
        return claims if row.confirmed == refresh or row.generation == claims.gen - 1 else None
    try:
        if verified.refresh(sign_in.refresh).jti != claims.rti:
            return None
    except InvalidToken:
        return None
    confirmed = _confirm(claims.sid, refresh)
    if confirmed is None:
        return claims
    if confirmed:
        take(Branch.CONFIRMED_BY_ACCESS, claims.sid)
    elif RefreshToken.objects.read(claims.sid, claims.sub).confirmed != refresh:
        return None
    return replace(claims, new=False)


def by_refresh(request: TokenRequest, *, guarded: bool, judged: bool) -> AbstractBaseUser | None:
    """The person of a good refresh token, with new tokens on their way; None if there is none, or if it is stale and
    not to be `judged`. Raises TokenError."""
    sign_in = request.tokens
    if sign_in.refresh is None:
        return None
    claims = verified.refresh(sign_in.refresh)
    jwts.check_times(claims, now=time(), lifetime=conf.idle_lifetime)
    heard = revocations().known(claims.sid)
    row, outcome = _decided(claims)
    if outcome is Outcome.STALE:
        if judged:
            verdict.judge(request, row, claims)
        return None
    take(TAKEN[outcome], claims.sid)
    _see(row)
    newer = None if outcome is Outcome.KEEP else issue.child(row, claims)
    sign_in.row, sign_in.claims = row, issue.access(row, newer or claims, new=True)
    sign_in.send(sign_in.claims, newer, heard)
    return row.user


def _decided(claims: RefreshClaims) -> tuple[RefreshToken, Outcome]:
    """The live row of a refresh token and what is to be done for its bearer; what is to be confirmed is so by then."""
    refresh = Refresh(claims.gen, claims.jti)
    row = RefreshToken.objects.read(claims.sid, claims.sub)
    outcome = rotation.decide(row.confirmed, refresh, time(), conf.confirm_after)
    if outcome not in (Outcome.CONFIRM, Outcome.BEHIND):
        return row, outcome
    confirmed = _confirm(claims.sid, refresh)
    if confirmed is None:
        return row, Outcome.KEEP
    if not confirmed:  # another request was first
        row = RefreshToken.objects.read(claims.sid, claims.sub)
        outcome = rotation.decide(row.confirmed, refresh, time(), conf.confirm_after)
    return row, outcome


def _confirm(sid: str, refresh: Refresh) -> bool | None:
    """Whether this was the request that confirmed `refresh`; None while the database can be read and not written:
    whoever is signed in stays so, and the next use confirms."""
    try:
        return RefreshToken.objects.confirm(sid, refresh)
    except Error:
        logger.warning("A refresh token could not be confirmed: the database takes no writes.")
        return None


def _see(row: RefreshToken) -> None:
    try:
        row.see()
    except Error:
        logger.warning("A sign-in could not be stamped: the database takes no writes.")
