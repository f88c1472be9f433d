"""Start and end a session on a request, and write its cookies.

The middleware says when. What is decided before and in the view is written to cookies on the way out.
"""

from __future__ import annotations

import logging
from time import monotonic
from typing import TypedDict

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.base import SessionBase
from django.db import Error, router, transaction
from django.http import HttpResponseBase
from django.utils.crypto import constant_time_compare

from . import client, cookies, issuing, probe, signals, users
from .authentication import confirm_used
from .binding import challenges, fallbacks, marks
from .conf import conf
from .core.exceptions import RevocationListUnavailable, RevokedToken, UnprovenToken
from .events import TokenEvent, record
from .models import RefreshToken, expiry
from .models.choices import Reason
from .session import REAUTHENTICATION_TIMEOUT, RequestSession, TokenRequest

logger = logging.getLogger("tokens")


class Length(TypedDict):
    """How long a session lasts: until the browser closes, or `lifetime` seconds, or what the settings say."""

    remember: bool
    lifetime: float | None


class ClientInfo(TypedDict):
    """What a row keeps of the client that opened it."""

    user_agent: str
    ip_address: str | None
    is_app: bool


def start(request: TokenRequest, user: AbstractBaseUser, backend: str = "") -> RefreshToken:
    """Open a session of `user` and return its row. The session it replaces ends once the new cookies are set.

    `backend` is the dotted path of the authentication backend that has let the user in.

    Raises RevokedToken if the user was deactivated, deleted or given another password meanwhile, and SignInHeld.
    """
    session = request.tokens
    session.held = None
    if session.created:
        _discard(request, Reason.REPLACED)
    replacing = {claims.sid for claims in session.presented_claims()}
    row = RefreshToken.objects.start(
        user,
        replacing,
        **_length(request),
        method=session.method,
        amr=" ".join(session.amr),
        acr=session.acr,
        backend=backend,
        **_client_info(request),
    )
    _open(session, row)
    signals.session_started.send_robust(RefreshToken, request=request, row=row)
    return row


def cycle_after_password_change(request: TokenRequest, session_hash: str) -> None:
    """Go on in a new session after a change of password that left `session_hash`; all others end."""
    session = request.tokens
    user = users.from_db_or_none(request.user.pk)
    if user is None or not constant_time_compare(user.get_session_auth_hash(), session_hash):
        return
    old = RefreshToken.objects.on_primary().filter(pk=session.session_id).first()
    kept = {name: getattr(old, name) for name in ("remember", "name", "method", "amr", "acr", "backend")} if old else {}
    RefreshToken.objects.revoke_for([user], Reason.PASSWORD)
    try:
        lifetime = _length(request)["lifetime"]
        _open(session, RefreshToken.objects.start(user, **kept, lifetime=lifetime, **_client_info(request)))
    except RevokedToken:  # deactivated, or changed once more, this very moment
        session.clear()


def follow_expiry(request: TokenRequest) -> None:
    """Have a session that this request opened last as long as Django's: `set_expiry()` may come after `login()`."""
    session = request.tokens
    row, length = session.row, _length(request)
    if not session.created or row is None:
        return
    expires_at = expiry(row.created_at, **length)
    if (row.remember, row.expires_at) != (length["remember"], expires_at):
        row.remember, row.expires_at = length["remember"], expires_at
        row.save(update_fields=["remember", "expires_at"])
        _open(session, row)


def lifetime_of(session: SessionBase) -> float | None:
    """Return how many seconds are left to Django's `session` by `set_expiry()`, or by an age of the site's own."""
    says = session.get("_session_expiry") or settings.is_overridden("SESSION_COOKIE_AGE")  # type: ignore[misc]
    return session.get_expiry_age() if says else None


def end(request: TokenRequest) -> None:
    """End the session of `request`, by any authentic token that came along, however old, and delete its cookies."""
    session = request.tokens
    if session.created:
        _discard(request, Reason.SIGNED_OUT)
    sids = {claims.sid for claims in (*session.presented_claims(), session.claims) if claims}
    _end_rows(request, sids, Reason.SIGNED_OUT)
    session.clear()
    session.held = None
    session.flushed = True


def write_cookies(request: TokenRequest, response: HttpResponseBase) -> bool:
    """Write to `response` what the request has decided about its cookies. Return whether it wrote any."""
    try:
        return _write_cookies(request, response)
    except (RevocationListUnavailable, Error):  # the page is made; what the browser has is still good
        logger.exception("New cookies could not be written.")
        return False


def _write_cookies(request: TokenRequest, response: HttpResponseBase) -> bool:
    session = request.tokens
    _drop_late_tokens(session)
    may_leave = session.bearer or confirm_used(request)
    if response.status_code >= 500:
        if session.created and session.row:  # nobody will ever hold its tokens
            RefreshToken.objects.filter(pk=session.row.pk).delete()
        return False
    if session.bearer:
        return False
    probes = _write_probes(session, response)
    if session.flushed:
        if response.status_code >= 400 or session.held:  # a transaction of the view may have undone the end
            _end_rows(request, {claims.sid for claims in session.presented_claims()}, Reason.SIGNED_OUT)
        cookies.delete(response, "access", "refresh", "reauth")
    elif session.outgoing and may_leave and _still_good(session.outgoing):
        offers = _offer_binding(request, response)
        issuing.write(session.outgoing, response, within=conf.bound_lifetime if offers else None)
        if session.reauthenticated and session.row:
            cookies.write(response, "reauth", issuing.reauth_value(session.row), REAUTHENTICATION_TIMEOUT.seconds)
        if session.created:
            _end_rows(request, {claims.sid for claims in session.presented_claims()}, Reason.REPLACED)
    else:
        return probes
    return True


def _offer_binding(request: TokenRequest, response: HttpResponseBase) -> bool:
    """Offer to bind a session that begins, or whose user has shown who they are. Return whether that was offered.

    Of one that is bound, knowing the secret counts for as much as having the key: the response brings a mark.
    """
    session = request.tokens
    if not conf.bound_lifetime or session.row is None:
        return False
    if session.reauthenticated and session.row.bound_proved_at:
        marks.write(response, session.row)
    elif request.is_secure() and (session.reauthenticated or session.adopted is not None):
        response.headers["Secure-Session-Registration"] = challenges.offer(session.row)
        return True
    return False


def _write_probes(session: RequestSession, response: HttpResponseBase) -> bool:
    """Keep the probe of which the site has just been told, and delete what is over. Return whether there was any."""
    probed = session.judged and session.probe is not None
    answered = session.judged and session.told is not None and session.claims is not None
    if probed:
        cookies.delete(response, "probe")
    if session.telling:
        probe.write(response, "probe-told", session.telling)
    elif answered:
        cookies.delete(response, "probe-told")
    return probed or answered or session.telling is not None


def _open(session: RequestSession, row: RefreshToken) -> None:
    refresh = issuing.root_refresh(row)
    session.row, session.claims = row, issuing.access_for(row, refresh, new=False)
    session.created = session.reauthenticated = True
    session.flushed, session.ended = False, None
    session.send(session.claims, refresh)


def _drop_late_tokens(session: RequestSession) -> None:
    """Keep back tokens that might be used, and confirmed, after the browser has settled on a sibling.

    The one that they were made from is still good, and confirms nothing: another may have been confirmed since, which
    doesn't make this one a copy.
    """
    outgoing = session.outgoing
    if outgoing and not session.created and monotonic() - outgoing.made_at > conf.confirm_after / 3:
        record(TokenEvent.LATE, outgoing.access.sid)
        session.outgoing = None


def _still_good(outgoing: issuing.Outgoing) -> bool:
    """Return whether these tokens may still overwrite what the browser holds.

    Those whose row has ended meanwhile, in this process or another, might overwrite the cookies of the session that
    replaced it; and a transaction that was rolled back may have taken a new row along. The revocation list will not do:
    it hears of another process up to a second late.
    """
    return outgoing.confirms is not None or RefreshToken.objects.is_live(outgoing.access.sid)


def _end_rows(request: TokenRequest, sids: set[str], reason: Reason) -> None:
    rows = RefreshToken.objects.on_primary().select_related("user").filter(pk__in=sids).live() if sids else ()
    for row in rows:
        if not _may_end(request.tokens, row):
            request.tokens.unproven = True
            fallbacks.report(request, str(row.pk))
            continue
        with transaction.atomic(using=router.db_for_write(RefreshToken)):
            if row.revoke(reason):
                row.reason = reason
                signals.session_ended.send(RefreshToken, request=request, row=row)


def _may_end(session: RequestSession, row: RefreshToken) -> bool:
    """Return whether this browser has the key of `row`, if there is one, or its user has just signed in.

    A copy of the jar must not sign out its owner.
    """
    try:
        marks.require(session.mark, row)
    except UnprovenToken:
        return session.created and session.row is not None and session.row.user_id == row.user_id
    return True


def _discard(request: TokenRequest, reason: Reason) -> None:
    """End the session that this request opened and leave no row of it: no cookie will ever carry its tokens."""
    sid = str(request.tokens.session_id)
    _end_rows(request, {sid}, reason)
    RefreshToken.objects.filter(pk=sid).delete()


def _length(request: TokenRequest) -> Length:
    """Return what was asked for, or what Django's own session says."""
    session: SessionBase | None = getattr(request, "session", None)
    if request.tokens.remember is not None or session is None:
        return {"remember": bool(request.tokens.remember), "lifetime": None}
    return {"remember": not session.get_expire_at_browser_close(), "lifetime": lifetime_of(session)}


def _client_info(request: TokenRequest) -> ClientInfo:
    return {
        "user_agent": client.user_agent(request),
        "ip_address": client.ip_address(request),
        "is_app": request.tokens.bearer,
    }
