"""Django's `login()` and `logout()`, and every change of a user, reach the rows from here."""

from __future__ import annotations

from collections.abc import Collection

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, SESSION_KEY
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured
from django.db import router, transaction
from django.utils import timezone

from . import auth, password_upgrades, signals, users, verification
from .conf import conf
from .core.exceptions import RevokedToken, SignInHeld
from .models import RefreshToken, admission, locks
from .models.choices import Reason
from .models.old_sessions import OldSessions
from .revocation import get_revocation_list
from .session import OWNER, SIGN_IN_KEYS, TokenRequest, stores


def logged_in(sender: object, request: TokenRequest, user: AbstractBaseUser, **_: object) -> None:
    """Start a session at `login()`, and take out what Django keeps in its own: there is one truth about who is in."""
    if not hasattr(request, "tokens"):
        raise ImproperlyConfigured(
            f"login() needs a request that has passed {__package__}.middleware.TokenMiddleware. "
            f"In tests, use {__package__}.testing.Client."
        )
    if not stores(request.session, SESSION_KEY):  # this is no `login()`: an API has made tokens of its own
        locks.lock_for_update(user.pk, last_login=timezone.now())
        return
    owners = {request.session.get(OWNER, str(user.pk))}
    if not request.tokens.flushed:  # after a `logout()` in this request the session holds nothing of theirs
        owners |= {claims.sub for claims in request.tokens.presented_claims()}
    stored = {key: request.session.pop(key, "") for key in SIGN_IN_KEYS}
    try:
        user.last_login = auth.start(request, user, stored[BACKEND_SESSION_KEY]).created_at
    except SignInHeld:
        auth.end(request)  # whoever was signed in here before has handed over
        user.backend = stored[BACKEND_SESSION_KEY]  # type: ignore[attr-defined]  # as authenticate() would have said
        request.tokens.held, request.user = user, AnonymousUser()
    except RevokedToken:  # deactivated, deleted or given another password since it was checked
        request.user = AnonymousUser()
    if owners != {str(user.pk)} or not request.session.keys():
        request.session.flush()
    if request.tokens.held and owners != {str(user.pk)}:
        # What a package adds to it now, such as the way back of an administrator, is for nobody who completes this.
        request.session[OWNER] = ""


def logged_out(sender: object, request: TokenRequest, user: AbstractBaseUser | None = None, **_: object) -> None:
    """End the session at `logout()`. A request that never passed the middleware has none."""
    if hasattr(request, "tokens"):
        users.load_before_end(user)
        auth.end(request)


def user_saved(
    sender: object,
    instance: AbstractBaseUser,
    created: bool,
    raw: bool,
    update_fields: Collection[str] | None,
    **_: object,
) -> None:
    """End the sessions that a deactivation or another password makes invalid, in the transaction that saves it.

    The access tokens of the others are issued again if what they say of the user may have changed.
    """
    told = {"is_active", "password", *conf.user_claims}
    if created or raw or (update_fields is not None and told.isdisjoint(update_fields)):
        return
    rows = RefreshToken.objects.for_user(instance)
    with transaction.atomic(using=router.db_for_write(RefreshToken), savepoint=False):
        user = locks.lock_for_update(instance.pk)
        backends = ["", *settings.AUTHENTICATION_BACKENDS]
        admitting = [each for each in backends if user is not None and admission.can_authenticate(user, each)]
        if user is None or not user.is_active:
            OldSessions.objects.end(instance.pk)
        closed = 0 if admitting == backends else rows.exclude(backend__in=admitting).revoke(Reason.DEACTIVATED)
        changed = 0
        if user is not None and admitting:
            old = password_upgrades.upgraded_from(instance)
            if old:
                rows.carry_over(old, user)
            changed = rows.exclude(auth_hash__in=list(admission.auth_hashes(user))).revoke(Reason.PASSWORD)
            if not old:
                rows.bump()
        _report(instance, Reason.DEACTIVATED, closed)
        _report(instance, Reason.PASSWORD, changed)


def user_deleted(sender: object, instance: AbstractBaseUser, **_: object) -> None:
    """End every session of a user who is about to be deleted."""
    _report(instance, Reason.DELETED, RefreshToken.objects.revoke_for([instance], Reason.DELETED))


def setting_changed(setting: str, **_: object) -> None:
    """Forget what was remembered under other settings, which only change in tests."""
    if setting.startswith(("TOKENS_", "SECRET_KEY")):
        verification.forget()
        get_revocation_list().forget()


def _report(user: AbstractBaseUser, reason: Reason, count: int) -> None:
    if count:
        signals.sessions_revoked.send(RefreshToken, user=user, reason=reason, count=count)
