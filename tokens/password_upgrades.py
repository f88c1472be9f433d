"""Tell a password that was hashed anew from a password that was changed.

`check_password()` hashes the password again when its stored hash is out of date: imported from another system, or made
at a lower cost. The column changes, the password does not, and no session may end for it. Only the call itself knows
that the password was right, so it is watched; that it leaves no raw password on the instance proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.hashers import get_hasher, identify_hasher
from django.db import router, transaction

from . import users

_checking: ContextVar[tuple[AbstractBaseUser, str] | None] = ContextVar("tokens_checking", default=None)

CheckPassword = Callable[[Any, str], bool]


def watch(model: type[AbstractBaseUser]) -> None:
    """Have `model.check_password` upgrade a hash under the user's lock, and `upgraded_from` know about it."""
    if hasattr(model.check_password, "upgrades_under_lock"):
        return
    model.check_password = _watched(model.check_password)  # type: ignore[assignment, method-assign]
    if model.acheck_password is AbstractBaseUser.acheck_password:
        model.acheck_password = sync_to_async(model.check_password)  # type: ignore[method-assign]


def upgraded_from(user: AbstractBaseUser) -> str | None:
    """Return the hash that `user` had before, if it is being saved by the check that found its password right."""
    checked = _checking.get()
    return checked[1] if checked and checked[0] is user and checked[1] != user.password else None


def _watched(check_password: CheckPassword) -> CheckPassword:
    @wraps(check_password)
    def check(self: AbstractBaseUser, raw_password: str) -> bool:
        if self._state.adding or not _is_outdated(self.password):
            return _check(self, raw_password)
        # Of two sign-ins at once the second would otherwise hash anew what the first has just upgraded, and each would
        # find the other's hash to be somebody else's password.
        with transaction.atomic(using=router.db_for_write(type(self), instance=self)):
            stored = users.lock_for_update(self.pk)
            if stored is None:
                return False
            self.password = stored.password
            return _check(self, raw_password)

    def _check(self: AbstractBaseUser, raw_password: str) -> bool:
        token = _checking.set((self, self.password))
        try:
            return check_password(self, raw_password)
        finally:
            _checking.reset(token)

    check.upgrades_under_lock = True  # type: ignore[attr-defined]
    return check


def _is_outdated(encoded: str) -> bool:
    try:
        algorithm = identify_hasher(encoded).algorithm
    except ValueError:  # unusable, or of a hasher that the site no longer has
        return False
    preferred = get_hasher()
    return algorithm != preferred.algorithm or preferred.must_update(encoded)
