"""Start, resume and end a sign-in on a request. The only place where tokens, rows, cookies and the list meet.

The middleware says when. What is decided here, before the view runs, is written to cookies on the way out.
"""

from __future__ import annotations

import logging
from time import monotonic
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import Error
from django.http import HttpResponseBase
from django.utils.crypto import constant_time_compare

from . import cookies, issue, origin, presented, signals, users, verdict
from .branches import Branch, take
from .conf import conf
from .exceptions import ExpiredToken, InvalidToken, ReusedToken, RevocationListUnavailable, RevokedToken
from .models import RefreshToken
from .revocations import revocations
from .signin import SignIn, TokenRequest

Reason = RefreshToken.Reason
logger = logging.getLogger("tokens")


def resume(request: TokenRequest, *, guarded: bool = False, judged: bool = True) -> AbstractBaseUser | None:
    """The person whose sign-in the cookies of `request` carry on, or None.

    `guarded` reads the row even for a good access token. Unless `judged`, a stale refresh token means an anonymous
    visitor and nothing more; else it raises StaleToken, until the browser has come back with a probe. Raises
    RevocationListUnavailable, and the database's errors.
    """
    sign_in = request.tokens
    sign_in.looked = True
    for by in (presented.by_access, presented.by_refresh):
        try:
            person = by(request, guarded=guarded, judged=judged)
            if person and sign_in.claims:
                sign_in.ended = None
                verdict.answered(request, sign_in.claims.sid)
                return person
        except InvalidToken as error:
            logger.info("%s", error)
        except ExpiredToken:
            sign_in.ended = Reason.EXPIRED
        except ReusedToken as error:
            sign_in.ended = error.reason
        except RevokedToken as error:
            sign_in.ended = error.reason or Reason.DELETED
            take(Branch.DEAD, error.sid, error.reason or "")
        sign_in.drop()
    return None


def start(request: TokenRequest, user: AbstractBaseUser) -> RefreshToken:
    """Opens a sign-in of `user` and returns its row. The one whose cookies came along ends when the new ones leave.

    Raises RevokedToken if the person was deactivated, deleted or given another password meanwhile.
    """
    sign_in = request.tokens
    if sign_in.started and sign_in.claims:
        _end_rows(request, {sign_in.claims.sid}, Reason.REPLACED)
    about = {"persistent": sign_in.remember, "method": sign_in.method, **_whence(request)}
    row = RefreshToken.objects.start(user, {claims.sid for claims in sign_in.shown()}, **about)
    _open(sign_in, row)
    signals.session_started.send_robust(RefreshToken, request=request, row=row)
    return row


def renew(request: TokenRequest, session_hash: str) -> None:
    """Goes on in a new sign-in after a change of password that left `session_hash`; all others end."""
    sign_in = request.tokens
    person = users.fresh(request.user.pk)
    if person is None or not constant_time_compare(person.get_session_auth_hash(), session_hash):
        return
    old = RefreshToken.objects.filter(pk=sign_in.session_id).first()
    kept = {"persistent": old.persistent, "name": old.name, "method": old.method} if old else {}
    RefreshToken.objects.revoke_for([person], Reason.PASSWORD)
    try:
        _open(sign_in, RefreshToken.objects.start(person, **kept, **_whence(request)))
    except RevokedToken:  # deactivated, or changed once more, this very moment
        sign_in.drop()


def end(request: TokenRequest) -> None:
    """Ends the sign-in of `request`, by any authentic token that came along, however old; its cookies go."""
    sign_in = request.tokens
    sids = {claims.sid for claims in (*sign_in.shown(), sign_in.claims) if claims}
    _end_rows(request, sids, Reason.SIGNED_OUT)
    sign_in.drop()
    sign_in.gone = True


def deliver(request: TokenRequest, response: HttpResponseBase) -> bool:
    """Writes to `response` what the request has decided about its cookies; whether it wrote any."""
    try:
        return _deliver(request, response)
    except (RevocationListUnavailable, Error):  # the page is made; what the browser has is still good
        logger.exception("New cookies could not be looked after.")
        return False


def _deliver(request: TokenRequest, response: HttpResponseBase) -> bool:
    sign_in = request.tokens
    if response.status_code >= 500:
        if sign_in.started and sign_in.row:  # nobody will ever hold its tokens
            RefreshToken.objects.filter(pk=sign_in.row.pk).delete()
        return False
    if sign_in.bearer:
        return False
    if sign_in.probe:
        cookies.delete_probe(response)
    if sign_in.gone:
        cookies.delete(response)
        response.headers["Clear-Site-Data"] = '"cache"'  # "cookies" would wipe the neighbours' on the whole domain
    elif sign_in.outgoing and _still_good(sign_in, sign_in.outgoing):
        issue.write(sign_in.outgoing, response)
        if sign_in.started:
            _end_rows(request, {claims.sid for claims in sign_in.shown()}, Reason.REPLACED)
    else:
        return bool(sign_in.probe)
    return True


def _open(sign_in: SignIn, row: RefreshToken) -> None:
    refresh = issue.first(row)
    sign_in.row, sign_in.claims = row, issue.access(row, refresh, new=False)
    sign_in.started, sign_in.gone, sign_in.ended = True, False, None
    sign_in.send(sign_in.claims, refresh)


def _still_good(sign_in: SignIn, outgoing: issue.Outgoing) -> bool:
    """Whether these tokens may still overwrite what the browser holds.

    One that leaves late might be used, and confirmed, after the browser has settled on a sibling; and one whose row
    has ended meanwhile might overwrite the cookies of the sign-in that replaced it. The parent is still good.
    """
    if not sign_in.started:
        if monotonic() - outgoing.made_at > conf.confirm_after / 3:
            take(Branch.LATE, outgoing.access.sid)
            return False
        heard = revocations().entry(outgoing.access.sid, RefreshToken.objects.changed_within)
        if heard is None or heard == outgoing.heard:
            return True
    # The row of a new sign-in is asked as well: a transaction that was rolled back may have taken it along.
    return bool(RefreshToken.objects.filter(pk=outgoing.access.sid).live().exists())


def _end_rows(request: TokenRequest, sids: set[str], reason: Reason) -> None:
    for row in RefreshToken.objects.filter(pk__in=sids).live():
        if row.revoke(reason):
            row.reason = reason
            signals.session_ended.send_robust(RefreshToken, request=request, row=row)


def _whence(request: TokenRequest) -> dict[str, Any]:
    return {"user_agent": origin.user_agent(request), "address": origin.address(request)}
