"""Tell a password that was hashed anew from a password that was changed.

`check_password()` hashes the password again when its stored hash is out of date: imported from another system, or made
at a lower cost. The column changes, the password does not, and no session may end for it. Only the check itself knows
that the password was right, so it is watched; that it leaves no raw password on the instance proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.hashers import check_password as fits
from django.db import router, transaction

from .models import locks

CHECKED = "_tokens_checked_hash"  # the attribute of a user that holds the hash being checked


def watch(model: type[AbstractBaseUser]) -> None:
    """Have `model.check_password` upgrade a hash under the user's lock, and `upgraded_from` know about it."""
    if hasattr(model.check_password, "watched"):
        return
    model.check_password = _watched(model.check_password)  # type: ignore[assignment, method-assign]
    if model.acheck_password is AbstractBaseUser.acheck_password:
        model.acheck_password = sync_to_async(model.check_password)  # type: ignore[method-assign]


def upgraded_from(user: AbstractBaseUser) -> str | None:
    """Return the hash that `user` had before, if it is being saved by the check that found its password right."""
    checked: str | None = vars(user).get(CHECKED)
    return checked if checked != user.password else None


def _watched(check_password: Callable[[Any, str], bool]) -> Callable[[Any, str], bool]:
    @wraps(check_password)
    def check(self: AbstractBaseUser, raw_password: str) -> bool:
        if self._state.adding:
            return check_password(self, raw_password)
        hash_ = self.password
        vars(self).update({CHECKED: hash_, "save": partial(_save, self, hash_, raw_password)})
        try:
            return check_password(self, raw_password)
        finally:
            del vars(self)[CHECKED], vars(self)["save"]

    check.watched = True  # type: ignore[attr-defined]
    return check


def _save(user: AbstractBaseUser, checked: str, raw_password: str, *args: Any, **kwargs: Any) -> None:
    """Save `user`, whose `checked` hash fits `raw_password`, unless the row has another hash by now.

    Another sign-in has upgraded it, then its hash is taken over: each of the two would find the other's to be somebody
    else's password. Or the password was changed, and `login()` will find that out. The lock is taken only here, so that
    a wrong guess never holds it.
    """
    with transaction.atomic(using=router.db_for_write(type(user), instance=user)):
        stored = locks.lock_for_update(user.pk)
        if stored is not None and stored.password == checked:
            type(user).save(user, *args, **kwargs)
        elif stored is not None and fits(raw_password, stored.password):
            user.password = stored.password
