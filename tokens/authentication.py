"""Authenticate a request: by its access token, else by its refresh token, else as nobody.

A token that is not accepted is no error: the answer is a `Refusal` then, which says why.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import partial
from time import time
from typing import NamedTuple
from uuid import uuid4

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import Error, router
from django.utils import timezone

from . import issuing, signals, users, verification
from .binding import marks
from .conf import conf
from .core import jwt, rotation
from .core.exceptions import ExpiredToken, InvalidToken, ReusedToken, RevokedToken, TokenError, UnprovenToken
from .core.jwt import AccessClaims, RefreshClaims
from .core.rotation import AccessOutcome, Outcome, Refresh
from .events import TokenEvent, record
from .models import RefreshToken
from .probe import Probe
from .revocation import get_revocation_list
from .session import RequestSession, TokenRequest

Reason = RefreshToken.Reason
logger = logging.getLogger("tokens")

EVENTS = {
    Outcome.CHILD: TokenEvent.CHILD,
    Outcome.KEEP: TokenEvent.KEPT,
    Outcome.CONFIRM: TokenEvent.CONFIRMED_BY_REFRESH,
    Outcome.BEHIND: TokenEvent.BEHIND,
}


class Refusal(NamedTuple):
    """The answer that nobody is asking, or nobody who may.

    `error` is why the token was not accepted; `probe` says that the browser has to be asked for something newer before
    anything can be decided.
    """

    error: TokenError | None = None
    probe: Probe | None = None


NOBODY = Refusal()


def authenticate(request: TokenRequest, *, fresh: bool = False) -> AbstractBaseUser | Refusal:
    """Return whose session the cookies of `request` continue, with new tokens on their way if they are due.

    `fresh` reads the row even for a good access token. Unless `request.tokens.judged`, tokens only tell who asks: none
    is handed out or confirmed, and a stale one is told to the site without a probe. Raises RevocationListUnavailable,
    and the database's errors.
    """
    session = request.tokens
    found = authenticate_access(session, fresh=fresh)
    if isinstance(found, Refusal):
        if isinstance(found.error, UnprovenToken):  # the refresh token needs a mark as well
            return found
        found = authenticate_refresh(request, dead=found.error)
        if isinstance(found, Refusal):
            return found
    session.ended, session.unproven = None, False
    if (session.probe or session.told) and session.claims and session.judged:
        withdraw_probe(request, session.claims.sid)
    return found


def needs_no_database(session: RequestSession) -> bool:
    """Return whether `authenticate` asks neither the database nor a cache: of nobody, or by a good access token."""
    if session.access is None or session.probe or session.told:
        return not (session.access or session.refresh)
    revoked = get_revocation_list()
    try:
        claims = verification.verify_current(session.access).claims
    except TokenError:
        return False
    # What the site's own code does with an instance of its users is not known.
    if (claims.new and _is_settled(claims)) or claims.partial or users.is_observed(conf.user_model):
        return False
    return revoked.is_at_hand() and not revoked.entry(claims.sid, _changed_within)


def authenticate_access(session: RequestSession, *, fresh: bool = False) -> AbstractBaseUser | Refusal:
    """Return whose access token came along."""
    if session.access is None:
        return NOBODY
    try:
        verified = verification.verify_current(session.access)
        claims = verified.claims
        ask_row = bool(get_revocation_list().entry(claims.sid, _changed_within)) or fresh or claims.partial
        current = _reviewed(session, claims, ask_row) if ask_row or claims.new else claims
    except TokenError as error:
        return _rejected(session, error)
    if current is None:
        return _rejected(session)
    session.claims = current
    if session.row:
        return session.row.live_user
    return users.from_fields(verified.user_fields, partial(_load_user, session, current))


def authenticate_refresh(request: TokenRequest, *, dead: TokenError | None = None) -> AbstractBaseUser | Refusal:
    """Return whose refresh token came along.

    `dead` is what the access token beside it was rejected for: a row that was found dead there is not read, and not
    recorded, a second time.
    """
    session = request.tokens
    if session.refresh is None:
        return NOBODY
    try:
        claims = verification.verify_refresh(session.refresh)
        jwt.check_times(claims, now=time(), lifetime=conf.idle_lifetime)
        if isinstance(dead, RevokedToken) and dead.sid == claims.sid:
            return Refusal(dead)
        row, outcome = _decide(request, claims)
    except TokenError as error:
        if isinstance(error, ExpiredToken):  # when an access token is over, its session may go on
            session.ended = Reason.EXPIRED
        return _rejected(session, error)
    if outcome is Outcome.STALE:
        if session.answered:  # a browser can't be asked for something newer, nor keep what would take back what is told
            return _rejected(session)
        if session.judged:
            return detect_reuse(request, row, claims)
        _report_stale(request, row, claims)
        return _rejected(session)
    if not session.judged:
        session.row, session.claims = row, issuing.access_for(row, claims, new=True, until=session.marked_until)
        return row.live_user
    due = outcome in (Outcome.CONFIRM, Outcome.BEHIND)
    if not due:
        record(EVENTS[outcome], claims.sid)
    _touch(row)
    newer = None if outcome is Outcome.KEEP else issuing.next_refresh(row, claims)
    # Of a session with a key only refresh tokens confirm: a copy of this one must not get the owner's found stale.
    unbound = session.marked_until is None
    access = issuing.access_for(row, newer or claims, new=unbound, until=session.marked_until)
    session.row, session.claims = row, access
    session.send(session.claims, newer, claims if due else None)
    return row.live_user


def confirm_used(request: TokenRequest) -> bool:
    """Confirm the refresh token that was used, if it is due. Return whether the tokens made from it may leave.

    That is on the way out, as the same statement says whether the row is live. Another request may have been first
    meanwhile: with this token, or with a sibling, and then this one is stale from now on.
    """
    session = request.tokens
    outgoing, row = session.outgoing, session.row
    if outgoing is None or row is None or (used := outgoing.confirms) is None:
        return True
    presented = Refresh(used.gen, used.jti)
    confirmed = _confirm(used.sid, presented)
    if confirmed is None:  # then the client keeps the refresh token that it has
        access = issuing.access_for(row, used, new=session.marked_until is None, until=session.marked_until)
        session.outgoing = replace(outgoing, access=access, refresh=None, confirms=None)
        record(TokenEvent.KEPT, used.sid)
        return True
    if confirmed:
        record(EVENTS[rotation.decide(row.confirmed, presented, time(), conf.confirm_after)], used.sid)
        return True
    try:
        row = RefreshToken.objects.get_live(used.sid, used.sub)
    except RevokedToken:
        return False
    if row.confirmed == presented:
        record(TokenEvent.CHILD, used.sid)
        return True
    if not session.bearer:
        _report_stale(request, row, used)
    return False


def detect_reuse(request: TokenRequest, row: RefreshToken, claims: RefreshClaims) -> Refusal:
    """Ask the browser of a stale token for something newer, or conclude from the probe that it has nothing.

    Then the thief cannot be told from the owner, so the session ends for both (RFC 9700 §4.14.2). A
    client without a jar sends what it has: there is nothing to ask.
    """
    session = request.tokens
    if session.bearer or session.probe == Probe(claims.sid, claims.jti):
        record(TokenEvent.REUSED, claims.sid)
        if count := RefreshToken.objects.revoke_reused(row):
            signals.reuse_found.send_robust(RefreshToken, request=request, row=row, count=count)
        # Another request may have ended the row, and for another reason.
        row.refresh_from_db(using=router.db_for_write(RefreshToken), fields=["reason"])
        return _rejected(session, ReusedToken(claims.sid, row.reason))
    session.probe = None  # of another token, or none
    if row.probe_limit_reached(claims.jti):
        return _rejected(session)
    record(TokenEvent.PROBED, claims.sid)
    _report_stale(request, row, claims)
    row.count_probe()
    return Refusal(probe=session.telling or Probe(claims.sid, claims.jti))


def withdraw_probe(request: TokenRequest, sid: str) -> None:
    """Take back the probes that this request came with, if it brings something newer of the same row `sid`."""
    probes = [probe for probe in (request.tokens.probe, request.tokens.told) if probe and probe.sid == sid]
    answered = [RefreshToken.objects.withdraw_probe(sid, jti) for jti in {probe.jti for probe in probes}]
    if any(answered):
        record(TokenEvent.ANSWERED, sid)
    for at in {datetime.fromisoformat(probe.at) for probe in probes if probe.at}:
        signals.probe_answered.send_robust(RefreshToken, request=request, sid=sid, at=at)


def _report_stale(request: TokenRequest, row: RefreshToken, claims: RefreshClaims) -> None:
    """Tell the site of a stale token, and this browser when, so that it alone can take that back."""
    if row.note_stale(claims.jti):
        at = timezone.now()
        request.tokens.telling = Probe(claims.sid, claims.jti, at.isoformat())
        signals.probe_sent.send_robust(RefreshToken, request=request, row=row, at=at)


def _rejected(session: RequestSession, error: TokenError | None = None) -> Refusal:
    """Go on as an anonymous visitor, and note the cause. Without an `error` another generation was confirmed."""
    session.clear()
    if isinstance(error, (InvalidToken, UnprovenToken)):
        logger.info("%s", error)
        session.unproven = isinstance(error, UnprovenToken)
    elif isinstance(error, ReusedToken):
        session.ended = error.reason
    elif isinstance(error, RevokedToken):
        session.ended = error.reason or Reason.DELETED
        record(TokenEvent.DEAD, error.sid, error.reason or "")
    return Refusal(error)


def _reviewed(session: RequestSession, claims: AccessClaims, ask_row: bool) -> AccessClaims | None:
    """Return what a good access token says now; None if it counts as expired. Raises TokenError."""
    if ask_row:
        session.row = RefreshToken.objects.get_live(claims.sid, claims.sub)
        if session.guarded:
            marks.require(session.mark, session.row)
    current = _confirm_by_access(session, claims) if claims.new and _is_settled(claims) else claims
    if current and session.row and session.row.version != claims.ver:
        current = issuing.reissue(current, session.row)
    if current and current is not claims and session.judged:
        # What was confirmed is set again: an older response may have put a sibling into the jar meanwhile, and that
        # would be found stale only when this access token is over.
        refresh = session.refresh if claims.new and not current.new else None
        session.send(replace(current, jti=str(uuid4())), verification.verify_refresh(refresh) if refresh else None)
    return current


def _changed_within(seconds: float) -> Iterable[tuple[object, str]]:
    changed: Iterable[tuple[object, str]] = RefreshToken.objects.changed_within(seconds)
    return changed


def _is_settled(claims: AccessClaims) -> bool:
    """Return whether a new generation is old enough to be confirmed by the refresh token beside it."""
    return rotation.settled(claims.rti, time(), conf.confirm_after)


def _load_user(session: RequestSession, claims: AccessClaims) -> AbstractBaseUser:
    """Return the user of a session by its own row, which may have ended since. Raises UserVanished."""
    try:
        row = RefreshToken.objects.get_live(claims.sid, claims.sub)
    except RevokedToken as error:
        raise users.UserVanished("The session of a valid token has ended, or its user is gone.") from error
    session.row = session.row or row
    return row.live_user


def _confirm_by_access(session: RequestSession, claims: AccessClaims) -> AccessClaims | None:
    """Return `claims` without `new` once their generation is confirmed; None if they count as expired.

    Unless they are judged, they are taken as if they had come alone, which confirms nothing.
    """
    born_with = Refresh(claims.gen, claims.rti)
    beside = _jti_beside(session) if session.judged else None
    row = session.row
    outcome = _decide_access(row, born_with, beside)
    if outcome is AccessOutcome.ASK_ROW:
        row = RefreshToken.objects.get_live(claims.sid, claims.sub)
        outcome = _decide_access(row, born_with, beside)
    if outcome is AccessOutcome.EXPIRED:
        return None
    if outcome is AccessOutcome.ACCEPT:
        return claims
    confirmed = _confirm(claims.sid, born_with)
    if confirmed is None:
        return claims
    if confirmed:
        record(TokenEvent.CONFIRMED_BY_ACCESS, claims.sid)
    elif RefreshToken.objects.get_live(claims.sid, claims.sub).confirmed != born_with:
        return None
    return replace(claims, new=False)


def _decide_access(row: RefreshToken | None, born_with: Refresh, beside: str | None) -> AccessOutcome:
    confirmed = row.confirmed if row else None
    return rotation.decide_access(
        confirmed, born_with, new=True, beside=beside, now=time(), confirm_after=conf.confirm_after
    )


def _jti_beside(session: RequestSession) -> str | None:
    """Return the `jti` of the refresh token that came along: None without one, "" if it is not valid."""
    if session.refresh is None:
        return None
    try:
        return verification.verify_refresh(session.refresh).jti
    except InvalidToken:
        return ""


def _decide(request: TokenRequest, claims: RefreshClaims) -> tuple[RefreshToken, Outcome]:
    """Return the live row of a refresh token and what to do for its bearer.

    Raises RevokedToken, UnprovenToken, and InvalidToken for a browser's token in a header or an app's in a cookie (RFC
    9700 §2.2.2): whoever got one out of a jar or out of an app may not go on with it where nothing of the other's
    protects it.
    """
    row = RefreshToken.objects.get_live(claims.sid, claims.sub)
    if row.is_app != request.tokens.bearer:
        raise InvalidToken("A browser's refresh token came in a header, or an app's in a cookie.")
    # Before anything is decided: a copy of the jar must not get its owner signed out by a verdict of reuse.
    request.tokens.marked_until = marks.require(request.tokens.mark, row)
    return row, rotation.decide(row.confirmed, Refresh(claims.gen, claims.jti), time(), conf.confirm_after)


def _confirm(sid: str, refresh: Refresh) -> bool | None:
    """Return whether this request confirmed `refresh`; None while the database can be read but not written.

    Whoever is signed in stays so, and the next use confirms.
    """
    try:
        return RefreshToken.objects.confirm(sid, refresh)
    except Error:
        logger.warning("A refresh token could not be confirmed: the database takes no writes.")
        return None


def _touch(row: RefreshToken) -> None:
    try:
        row.touch()
    except Error:
        logger.warning("A session could not be stamped as used: the database takes no writes.")
