"""Django's own login and logout, and every change of a person, reach the rows from here."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from . import auth, password_upgrades, signals, users, verified
from .conf import conf
from .exceptions import RevokedToken
from .models import RefreshToken
from .revocations import revocations
from .signin import OWNER, TokenRequest

Reason = RefreshToken.Reason


def logged_in(sender: Any, request: TokenRequest, user: AbstractBaseUser, **_: Any) -> None:
    """`login()` starts a sign-in. What Django keeps in its session goes: there is one truth about who is signed in."""
    if not hasattr(request, "tokens"):
        raise ImproperlyConfigured(
            "login() needs a request that has passed tokens.middleware.TokenMiddleware. "
            "In tests, use tokens.testing.Client."
        )
    owners = {claims.sub for claims in request.tokens.shown()} | {request.session.get(OWNER, str(user.pk))}
    try:
        user.last_login = auth.start(request, user).started_at
    except RevokedToken:  # deactivated, deleted or given another password since it was checked
        request.user = AnonymousUser()
    for key in (SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY):
        request.session.pop(key, None)
    if owners != {str(user.pk)} or not request.session.keys():
        request.session.flush()


def logged_out(sender: Any, request: TokenRequest, **_: Any) -> None:
    """`logout()` ends the sign-in. A request that never passed the middleware has none."""
    if hasattr(request, "tokens"):
        auth.end(request)


def user_saved(sender: Any, instance: AbstractBaseUser, created: bool, raw: bool, update_fields: Any, **_: Any) -> None:
    """Ends the sign-ins that a deactivation or another password makes invalid, and has the tokens of the others made
    again if what they say of the person may have changed."""
    told = {"is_active", "password", *conf.user_claims}
    if created or raw or (update_fields is not None and told.isdisjoint(update_fields)):
        return
    rows = RefreshToken.objects.for_user(instance)
    with transaction.atomic():
        person = users.lock(instance.pk)
        if person is None or not person.is_active:
            reason, count = Reason.DEACTIVATED, rows.revoke(Reason.DEACTIVATED)
        else:
            if old := password_upgrades.upgraded_from(instance):
                rows.carry_over(old, person)
            good = list(users.auth_hashes(person))
            reason, count = Reason.PASSWORD, rows.exclude(auth_hash__in=good).revoke(Reason.PASSWORD)
            rows.bump()
    _tell(instance, reason, count)


def user_deleted(sender: Any, instance: AbstractBaseUser, **_: Any) -> None:
    """Ends every sign-in of a person who is about to be deleted."""
    _tell(instance, Reason.DELETED, RefreshToken.objects.revoke_for([instance], Reason.DELETED))


def setting_changed(setting: str, **_: Any) -> None:
    """Forgets what was remembered under other settings; in tests alone do they change."""
    if setting.startswith(("TOKENS_", "SECRET_KEY")):
        verified.forget()
        revocations().forget()


def _tell(person: AbstractBaseUser, reason: Reason, count: int) -> None:
    if count:
        signals.sessions_revoked.send_robust(RefreshToken, user=person, reason=reason, count=count)
