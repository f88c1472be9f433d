"""The lock of a user, which sign-ins and whatever ends sessions share, and locks of rows."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Any, TypeVar

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connections, models, router
from django.db.models import F

from .. import users
from ..conf import conf
from .prepared import Parameter, Prepared

Rows = TypeVar("Rows", bound="models.QuerySet[Any]")


def lock_for_update(key: object, **stamp: object) -> AbstractBaseUser | None:
    """Return the user, read under the lock that sign-ins and mass revocations share; None if there is none.

    To be called first in a transaction on the user model's write database. An UPDATE, even one that changes nothing,
    locks on every database; on SQLite `select_for_update` does not. `stamp` names fields to set on this occasion, as
    far as the model has them.
    """
    model, using = conf.user_model, router.db_for_write(conf.user_model)
    fields = {field.name for field in model._meta.concrete_fields}
    values = {name: value for name, value in stamp.items() if name in fields}
    if not _locking_update(model, *values).update(using, key=key, **values):
        return None
    user: AbstractBaseUser | None = _by_key(model).first(using, key=key)
    return user


def lock_all(keys: Collection[object]) -> None:
    """Take the lock of `lock_for_update` on these users, in one order for all, or two of these could deadlock."""
    model = conf.user_model
    rows = model._base_manager.using(router.db_for_write(model)).filter(pk__in=keys)
    if connections[rows.db].features.has_select_for_update:
        list(rows.select_for_update().order_by("pk").values_list("password"))  # locks the table that has it
    else:
        rows.update(password=F("password"))


def locking(rows: Rows, *, skip_locked: bool = False) -> Rows:
    """Return `rows` so that reading them, in a transaction, locks them on the database that is written.

    Rows that they are joined with stay free and, with `skip_locked`, those that another transaction has locked are left
    out: both where the database can do it.
    """
    locked = rows.select_for_update()
    features = connections[locked.db].features
    return locked.select_for_update(
        of=("self",) if features.has_select_for_update_of else (),
        skip_locked=skip_locked and features.has_select_for_update_skip_locked,
    )


def lock_in_order(rows: models.QuerySet[Any]) -> tuple[list[Any], models.QuerySet[Any]]:
    """Lock `rows` in the order of their keys, as everybody does, or two of these could deadlock.

    Return their keys, and the rows for a statement that changes them. MariaDB locks all that a statement looks at, in
    the order of the index that it chooses: there the keys are read first, and nothing else chooses what is locked.
    """
    keys = rows.order_by("pk").values_list("pk", flat=True)
    if connections[rows.db].vendor != "mysql":
        return list(locking(keys)), rows
    by_key = rows.model._base_manager.using(rows.db)
    locked = [row.pk for row in by_key.filter(pk__in=list(keys)).order_by("pk").select_for_update()]
    still = list(keys.filter(pk__in=locked))
    return still, by_key.filter(pk__in=still)


@cache
def _locking_update(model: type[AbstractBaseUser], *names: str) -> Prepared:
    owner: Any = model._meta.get_field("password").model  # a model may inherit the table that has it
    key = Parameter("key", owner._meta.pk)
    sets: dict[str, Any] = {name: Parameter(name, owner._meta.get_field(name)) for name in names}
    return Prepared(lambda: owner._base_manager.filter(pk=key), **sets or {"password": F("password")})


@cache
def _by_key(model: type[AbstractBaseUser]) -> Prepared:
    key = Parameter("key", model._meta.pk)
    return Prepared(lambda: model._base_manager.filter(pk=key).values_list(*users.columns(model)))
