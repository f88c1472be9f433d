"""Who may go on with a session: whom the backend that let them in still lets in and finds, and with which password.

A backend is named by its dotted path, as Django's session does it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib.auth import load_backend
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models, router
from django.db.models.query import ModelIterable

from .. import users
from ..conf import conf


def can_authenticate(user: AbstractBaseUser, path: str) -> bool:
    """Return whether the backend `path` would let `user` in: an active one, unless it has a rule of its own.

    No backend lets anybody in once it is gone from AUTHENTICATION_BACKENDS. Without a path it is not known which did.
    """
    if not path:
        return user.is_active
    if path not in settings.AUTHENTICATION_BACKENDS:
        return False
    rule = getattr(load_backend(path), "user_can_authenticate", None)
    return bool(rule(user)) if rule else True


def found(user: AbstractBaseUser, path: str) -> AbstractBaseUser | None:
    """Return whom Django would find at their next request, let in by the backend `path`: `user`, or more; None: nobody.

    A `get_user()` of its own may return a proxy, or hang on it what a directory knows. Django's looks through the
    model's default manager, which may hide people, or annotate them.
    """
    whom: AbstractBaseUser | None = user
    backend = _backend(path)
    if _has_own_get_user(backend):
        whom = backend.get_user(user.pk)
        if whom is not None and may_lag(path):
            vars(whom).update(vars(user))
    elif (people := _managed(type(user))) is not None:
        whom = people.filter(pk=user.pk).first()
    return user if whom is not None and whom is not user and _is_no_more(whom, user) else whom


def may_find_more() -> bool:
    """Return whether some of the site's users may be more than their rows."""
    backends = map(load_backend, settings.AUTHENTICATION_BACKENDS)
    own = any(_has_own_get_user(backend) for backend in backends if hasattr(backend, "get_user"))
    return own or _managed(conf.user_model) is not None


def may_lag(path: str) -> bool:
    """Return whether `found` may have asked a replica: it does not know yet of everybody, or of every change."""
    model = conf.user_model
    return _has_own_get_user(_backend(path)) and router.db_for_read(model) != router.db_for_write(model)


def auth_hash(user: AbstractBaseUser) -> str:
    """Return what a row keeps of the password: a hash of Django's session hash, which changes with the password."""
    return digest(user.get_session_auth_hash())


def auth_hashes(user: AbstractBaseUser) -> Iterator[str]:
    """Yield all values of `auth_hash` that are valid for `user`: the current, then those of SECRET_KEY_FALLBACKS."""
    yield auth_hash(user)
    yield from map(digest, user.get_session_auth_fallback_hash())


def digest(session_hash: str) -> str:
    """Return the `auth_hash` that stands for one of Django's session hashes."""
    return hashlib.sha256(session_hash.encode()).hexdigest()


def _backend(path: str) -> Any:
    return load_backend(path or "django.contrib.auth.backends.ModelBackend")


def _has_own_get_user(backend: Any) -> bool:
    from django.contrib.auth.backends import ModelBackend  # which needs the user model, as this module must not

    return type(backend).get_user is not ModelBackend.get_user


def _managed(model: type[AbstractBaseUser]) -> models.QuerySet[Any] | None:
    """Return the rows that the default manager shows; None if it shows everybody, and as they are."""
    manager = model._default_manager
    if type(manager).get_queryset is models.Manager.get_queryset:
        return None
    rows = manager.using(router.db_for_write(model))
    plain = not (rows.query.has_filters() or rows.query.annotations) and rows._iterable_class is ModelIterable
    return None if plain else rows


def _is_no_more(whom: AbstractBaseUser, user: AbstractBaseUser) -> bool:
    """Return whether `whom` is what the row of `user` says, and nothing beside it."""
    plain, fields = vars(user), users.columns(type(user))
    return type(whom) is type(user) and all(
        name in plain and (plain[name] == value or name not in fields)
        for name, value in vars(whom).items()
        if name != "_prefetched_objects_cache"
    )
