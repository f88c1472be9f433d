"""Take over sessions of `django.contrib.sessions` at their next request; nobody is asked for a password.

An old session is to the token session that it becomes what a refresh token is to its children. The id of the row is
made of the session's key, so tabs, processes and machines that see the key at once find one row, and each hands out a
sibling. Until the browser has settled on one of them the key stays good, although its session is gone: a lost response
signs nobody out.
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
from django.db import Error, router, transaction
from django.http import HttpResponseBase
from django.utils.crypto import salted_hmac

from .. import auth, client, cookies, issuing, signals, users
from ..conf import conf
from ..core.exceptions import RevokedToken
from ..models import RefreshToken, admission, locks
from ..models.old_sessions import OldSessions
from ..session import OWNER, SIGN_IN_KEYS, TokenRequest, show_sign_in

Reason = RefreshToken.Reason
logger = logging.getLogger("tokens")


def resume(request: TokenRequest) -> AbstractBaseUser | None:
    """Return the user whose old session (TOKENS_ADOPT_SESSIONS) came along, with tokens on their way; or None.

    To be called when the tokens say nothing. Raises RevocationListUnavailable, and the database's errors.
    """
    key = _key(request)
    if key is None or _has_bearer_token(request):
        return None
    old = _store(request, key)
    try:
        row = _row(request, _ids(key), old)
    except RevokedToken:
        return None
    if row is None:
        return None
    _hand_out(request, row)
    _go_on(request, old, row)
    return row.live_user


def settle(request: TokenRequest, response: HttpResponseBase) -> None:
    """End the old session if `response` brings its successor or signs out. Otherwise it stays as it was."""
    tokens, key = request.tokens, _key(request)
    if key is None or not (tokens.adopted is not None or tokens.created or tokens.flushed):
        return
    if cookies.name_of("access") in response.cookies:
        try:
            _end(request, response, key)
        except Error:
            logger.warning("An old session could not be ended.")
    elif tokens.adopted is not None and _is_own():
        request.session = tokens.adopted


def _key(request: TokenRequest) -> str | None:
    return cookies.read_all(request).get(conf.adopt_sessions) if conf.adopt_sessions else None


def _has_bearer_token(request: TokenRequest) -> bool:
    """Return whether a token in a header counts, whatever cookies came along (RFC 6750)."""
    return request.tokens.bearer or request.headers.get("Authorization", "")[:7].lower() == "bearer "


def _is_own() -> bool:
    """Return whether the old sessions are those that the site still keeps for `request.session`."""
    return conf.adopt_sessions == settings.SESSION_COOKIE_NAME


def _store(request: TokenRequest, key: str) -> SessionBase:
    if _is_own():
        return request.session
    store: SessionBase = import_module(conf.adopt_engine).SessionStore(key)
    return store


def _ids(key: str) -> list[UUID]:
    """Return the id of the one row that the session of this key can become, then those by SECRET_KEY_FALLBACKS."""
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return [
        UUID(bytes=salted_hmac("tokens.adoption", key, secret, algorithm="sha256").digest()[:16], version=4)
        for secret in secrets
    ]


def _row(request: TokenRequest, ids: list[UUID], old: SessionBase) -> RefreshToken | None:
    """Return the row that `old` has become, perhaps at this moment. Raises RevokedToken.

    None in a browser that has held somebody else's tokens since: they have ended, and nobody else takes their place.
    """
    stub: Any = SimpleNamespace(session=_rehashed(old) or old)
    user = get_user(stub)  # Django itself checks the backend and the hash
    is_known = isinstance(user, AbstractBaseUser)
    row = _found(ids) if is_known or old.session_key is None else None
    owner = row.user if row else user
    if not isinstance(owner, AbstractBaseUser):
        return None
    if any(claims.sub != str(owner.pk) for claims in request.tokens.presented_claims()):
        _discard(request, old)
        return None
    return row or _started(request, ids, old, owner)


def _rehashed(old: SessionBase) -> SessionBase | None:
    """Return a copy of `old` with today's hash, if it has one that the same password had before it was hashed anew."""
    key, known = old.get(SESSION_KEY), old.get(HASH_SESSION_KEY)
    if not key or not known:
        return None
    today = OldSessions.objects.hash_of_today(key, admission.digest(known))
    user = users.from_db_or_none(users.key_of(key)) if today else None
    if user is None or today not in set(admission.auth_hashes(user)):
        return None
    copy = type(old)()
    copy.update({**{name: old.get(name) for name in SIGN_IN_KEYS}, HASH_SESSION_KEY: user.get_session_auth_hash()})
    return copy


def _found(ids: list[UUID]) -> RefreshToken | None:
    """Return the row, if there is one.

    Raises RevokedToken if it has ended, or if a browser has settled on a token of it: then the key is dead.
    """
    row: RefreshToken | None = RefreshToken.objects.on_primary().select_related("user").filter(pk__in=ids).first()
    if row is not None:
        row.check_live()
        if row.generation > 1 or time() - row.created_at.timestamp() > conf.idle_lifetime:
            raise RevokedToken(str(row.pk))
    return row


def _started(request: TokenRequest, ids: list[UUID], old: SessionBase, user: AbstractBaseUser) -> RefreshToken | None:
    """Return a new row, or that of another tab if it was first. None if all old sessions of the user have ended.

    Raises RevokedToken.
    """
    with transaction.atomic(using=router.db_for_write(RefreshToken)):
        locks.lock_for_update(user.pk)
        if row := _found(ids):
            return row
        if OldSessions.objects.have_ended(user.pk):
            _discard(request, old)
            return None
        row = RefreshToken.objects.start(
            user,
            id=ids[0],
            method=RefreshToken.Method.MOVED,
            remember=_outlives_browser(old),
            lifetime=auth.lifetime_of(old),
            backend=old.get(BACKEND_SESSION_KEY),
            authenticated_at=None,
            user_agent=client.user_agent(request),
            ip_address=client.ip_address(request),
        )
    if OldSessions.objects.have_ended(user.pk):  # an end of everybody's sessions takes no lock
        row.revoke(Reason.ADMIN)
        return None
    signals.session_started.send_robust(RefreshToken, request=request, row=row)
    return row


def _discard(request: TokenRequest, old: SessionBase) -> None:
    """Empty an old session that nobody may go on in, which signs nobody out: the tokens of this request stay."""
    old.flush()
    request.tokens.session_flushed = False


def _outlives_browser(old: SessionBase) -> bool:
    """Return what the current settings say of the site's own sessions; any other outlives unless it says otherwise."""
    return not old.get_expire_at_browser_close() if _is_own() else old.get("_session_expiry") != 0


def _hand_out(request: TokenRequest, row: RefreshToken) -> None:
    """Send a child of the row's first token, which the old key stands for: the browser never gets that itself."""
    tokens = request.tokens
    refresh = issuing.next_refresh(row, issuing.root_refresh(row))
    tokens.row, tokens.claims, tokens.ended = row, issuing.access_for(row, refresh, new=True), None
    tokens.send(tokens.claims, refresh)


def _go_on(request: TokenRequest, old: SessionBase, row: RefreshToken) -> None:
    """Have the request go on in a session with a new key, with all that was in the old one except the sign-in.

    The old one is left as it is until the response leaves: one that fails must not sign anybody out.
    """
    request.tokens.adopted = old
    vars(old).pop("tokens", None)  # what happens to it from now on is no sign-out
    if not _is_own():
        return
    request.COOKIES.pop(conf.adopt_sessions, None)  # or Django would delete what another tab has set
    request.session = type(old)()
    show_sign_in(request)
    if kept := {name: value for name, value in old.items() if name not in SIGN_IN_KEYS}:
        request.session.update(kept | {OWNER: str(row.user_id)})


def _end(request: TokenRequest, response: HttpResponseBase, key: str) -> None:
    tokens = request.tokens
    if tokens.adopted is None or tokens.created:  # signed in or out beside it, or after it
        reason = Reason.SIGNED_OUT if tokens.flushed else Reason.REPLACED
        RefreshToken.objects.filter(pk__in=_ids(key)).revoke(reason)
        if _is_own() and tokens.adopted is None:
            return  # Django has done it
    old = _store(request, key) if tokens.adopted is None else tokens.adopted  # an empty one is false on Django 6.1
    flushed = old.session_key is None
    old.flush()
    if not _is_own() or not (flushed or request.session.keys()):  # another request may have set one by this name
        site: Any = settings
        path, domain, samesite = site.SESSION_COOKIE_PATH, site.SESSION_COOKIE_DOMAIN, site.SESSION_COOKIE_SAMESITE
        response.delete_cookie(conf.adopt_sessions, path=path, domain=domain, samesite=samesite)
