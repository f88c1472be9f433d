"""Sign-ins of `django.contrib.sessions`, taken over at their next request; nobody is asked for a password.

An old session is to the sign-in that it becomes what a refresh token is to its children. The id of the row is made of
the session's key, so tabs, processes and machines that see the key at once find one row, and each hands out a sibling.
Until the browser has settled on one of them the key stays good, although its session is gone: a response that is lost
costs nobody their sign-in.
"""

from __future__ import annotations

import logging
from importlib import import_module
from time import time
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.base import SessionBase
from django.db import Error, transaction
from django.http import HttpResponseBase
from django.utils.crypto import salted_hmac

from . import cookies, issue, origin, signals, users
from .conf import conf
from .exceptions import RevokedToken
from .models import RefreshToken
from .revocations import revocations
from .signin import OWNER, TokenRequest

Reason = RefreshToken.Reason
SIGN_IN = (SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY)
DISTRUSTED = (Reason.ENDED, Reason.ADMIN, Reason.REUSED)
logger = logging.getLogger("tokens")


def resume(request: TokenRequest) -> AbstractBaseUser | None:
    """The person whose old session (TOKENS_ADOPT_SESSIONS) came along, with tokens on their way; or None. To be asked
    when the tokens say nothing. Raises RevocationListUnavailable, and the database's errors."""
    key = _key(request)
    if key is None or _is_programs(request):
        return None
    old = _store(request, key)
    try:
        row = _row(request, _id(key), old)
    except RevokedToken:
        return None
    if row is None:
        return None
    _hand_out(request, row)
    _go_on(request, old, row)
    return row.user


def settle(request: TokenRequest, response: HttpResponseBase) -> None:
    """Ends the old session if `response` brings its successor, or takes every sign-in away. Else it stays as it was."""
    sign_in, key = request.tokens, _key(request)
    if key is None or not (sign_in.adopted or sign_in.started or sign_in.gone):
        return
    if cookies.access_name() in response.cookies:
        try:
            _end(request, response, key)
        except Error:
            logger.warning("An old session could not be ended.")
    elif sign_in.adopted is not None and _is_own():
        request.session = sign_in.adopted


def _key(request: TokenRequest) -> str | None:
    return cookies.read(request, conf.adopt_sessions) if conf.adopt_sessions else None


def _is_programs(request: TokenRequest) -> bool:
    """Whether a token in a header is to count, whatever cookies came along (RFC 6750)."""
    return request.tokens.bearer or request.headers.get("Authorization", "")[:7].lower() == "bearer "


def _is_own() -> bool:
    """Whether the old sessions are those that the site still keeps for whoever needs `request.session`."""
    return conf.adopt_sessions == settings.SESSION_COOKIE_NAME


def _store(request: TokenRequest, key: str) -> SessionBase:
    if _is_own():
        return request.session
    store: SessionBase = import_module(conf.adopt_engine).SessionStore(key)
    return store


def _id(key: str) -> UUID:
    """The one row that the session of this key can become."""
    return UUID(bytes=salted_hmac("tokens.adoption", key, algorithm="sha256").digest()[:16], version=4)


def _row(request: TokenRequest, sid: UUID, old: SessionBase) -> RefreshToken | None:
    """The row that `old` has become, this moment perhaps. Raises RevokedToken."""
    looked_at: Any = SimpleNamespace(session=old)
    person = get_user(looked_at)  # Django's own look at the backend and the hash
    if isinstance(person, AbstractBaseUser):
        return _found(sid) or _started(request, sid, old, person)
    return None if old.session_key else _found(sid)


def _found(sid: UUID) -> RefreshToken | None:
    """Raises RevokedToken if the row has ended, or if a browser has settled on a token of it: the key is over then."""
    row: RefreshToken | None = RefreshToken.objects.select_related("user").filter(pk=sid).first()
    if row is not None:
        row.check_live()
        if row.generation > 1 or time() - row.started_at.timestamp() > conf.idle_lifetime:
            raise RevokedToken(str(sid))
    return row


def _started(request: TokenRequest, sid: UUID, old: SessionBase, person: AbstractBaseUser) -> RefreshToken | None:
    """A new row; that of another tab if it was first; none if the person has ended sign-ins since the site moved:
    old sessions are on no list, so that "all others" would mean these too. Raises RevokedToken."""
    with transaction.atomic(using=RefreshToken.objects.db):
        users.lock(person.pk)
        if row := _found(sid):
            return row
        if RefreshToken.objects.for_user(person).filter(reason__in=DISTRUSTED).exists():
            old.flush()
            return None
        row = RefreshToken.objects.start(
            person,
            id=sid,
            method=RefreshToken.Method.MOVED,
            persistent=_outlives_browser(old),
            proved_at=None,
            user_agent=origin.user_agent(request),
            address=origin.address(request),
        )
    signals.session_started.send_robust(RefreshToken, request=request, row=row)
    return row


def _outlives_browser(old: SessionBase) -> bool:
    """What the site's settings say today is said of its own sessions; any other was kept unless it says otherwise."""
    return not old.get_expire_at_browser_close() if _is_own() else old.get("_session_expiry") != 0


def _hand_out(request: TokenRequest, row: RefreshToken) -> None:
    """A child of the row's first token, which the old key stands for: the browser never gets that itself."""
    sign_in = request.tokens
    heard = revocations().known(str(row.pk))
    refresh = issue.child(row, issue.first(row))
    sign_in.row, sign_in.claims, sign_in.ended = row, issue.access(row, refresh, new=True), None
    sign_in.send(sign_in.claims, refresh, heard)


def _go_on(request: TokenRequest, old: SessionBase, row: RefreshToken) -> None:
    """Has the request go on in a session of a new key, with all that was in the old one but the sign-in. The old one is
    left as it is until the response leaves: one that fails must not cost the sign-in."""
    request.tokens.adopted = old
    if not _is_own():
        return
    request.COOKIES.pop(conf.adopt_sessions, None)  # or Django would delete what another tab has set
    request.session = type(old)()
    if kept := {name: value for name, value in old.items() if name not in SIGN_IN}:
        request.session.update(kept | {OWNER: str(row.user_id)})


def _end(request: TokenRequest, response: HttpResponseBase, key: str) -> None:
    sign_in = request.tokens
    if sign_in.adopted is None or sign_in.started:  # signed in or out beside it, or after it
        reason = Reason.SIGNED_OUT if sign_in.gone else Reason.REPLACED
        RefreshToken.objects.filter(pk=_id(key)).revoke(reason)
        if _is_own() and sign_in.adopted is None:
            return  # Django has looked after it
    old = sign_in.adopted or _store(request, key)
    gone = old.session_key is None
    old.flush()
    if not _is_own() or not (gone or request.session.keys()):  # whoever was first may have set another by this name
        site: Any = settings
        path, domain, samesite = site.SESSION_COOKIE_PATH, site.SESSION_COOKIE_DOMAIN, site.SESSION_COOKIE_SAMESITE
        response.delete_cookie(conf.adopt_sessions, path=path, domain=domain, samesite=samesite)
