"""The user behind a token: `request.user` from claims, without a query."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache, wraps
from inspect import getattr_static
from typing import Any, TypeVar, cast

from django.conf import settings
from django.contrib.auth import load_backend
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import DEFAULT_DB_ALIAS, models, router, transaction
from django.db.models.base import ModelBase, ModelState
from django.db.models.fields.files import FileDescriptor, ImageFileDescriptor
from django.db.models.fields.related_descriptors import ForeignKeyDeferredAttribute
from django.db.models.signals import post_init, pre_init

from .conf import conf
from .core.exceptions import InvalidToken
from .core.jwt import Claim

UserFields = Mapping[str, Any]  # the attributes of a user that are known, with their converted values
Load = Callable[[], AbstractBaseUser]
Rows = TypeVar("Rows", bound="models.QuerySet[Any]")
LOAD = "_tokens_load"
KEEPING = (ForeignKeyDeferredAttribute, FileDescriptor, ImageFileDescriptor)  # they keep what a new instance is given


class UserVanished(ObjectDoesNotExist):
    """The session has ended, or its user was deleted behind Django's back, while the access token was still good."""

    silent_variable_failure = False  # or a template would show half a user


def key_of(sub: str) -> object:
    """Return the primary key that `sub` stands for.

    Raises InvalidToken unless `sub` is the key's one canonical form: int() alone would take " 42", "4_2" and other
    scripts' digits, and one user would have many names.
    """
    field = conf.user_model._meta.pk
    try:
        key = field.to_python(sub)
        field.run_validators(key)  # a number too large for the column would be an error of the database
    except ValidationError:
        raise InvalidToken("The subject is not a key.") from None
    if str(key) != sub:
        raise InvalidToken("The subject is not a key in its canonical form.")
    return key


def claims_of(user: AbstractBaseUser) -> dict[str, Claim]:
    """Return what an access token says about `user` (TOKENS_USER_CLAIMS)."""
    return {name: _plain(user, name) for name in conf.user_claims}


def fields_from_claims(sub: str, claims: Mapping[str, Claim]) -> UserFields:
    """Return the fields that an access token tells of its user, with converted values.

    The user is active, unless a backend lets in others: only a live session comes this far. Raises what
    `Field.to_python` raises.
    """
    model = conf.user_model
    told = {name: claims[name] for name in conf.user_claims if name in claims}
    known: dict[str, object] = {**told, model._meta.pk.attname: sub}
    if _only_active(tuple(settings.AUTHENTICATION_BACKENDS)):
        known["is_active"] = True
    fields = [field for field in model._meta.concrete_fields if field.attname in known]
    return {field.attname: field.to_python(known[field.attname]) for field in fields}


def from_fields(fields: UserFields, load: Load) -> AbstractBaseUser:
    """Return an instance of the user model that knows `fields`, and loads the rest when it is asked for.

    `load` returns the user as the session's own row has them, or raises UserVanished: whatever key the token names,
    nobody but whom the session is of is ever shown or changed.

    The first assignment, save or other field loads the whole row, once; from then on it is an ordinary instance, and
    an outdated claim is never written. Each call builds an instance of its own, as a query would, so that `from_db`,
    `__init__` and receivers of `post_init` see it and two requests share nothing.
    """
    model = conf.user_model
    using = router.db_for_write(model) if router.routers else DEFAULT_DB_ALIAS
    user: AbstractBaseUser
    if is_observed(model):
        user = model.from_db(using, tuple(fields), tuple(fields.values()))
        vars(user)[LOAD] = load
        user.__class__ = _claimed(model)
    else:
        user = _made(_claimed(model), using, {**fields, LOAD: load})
    return user


def instance_of(model: type[models.Model], using: str, fields: dict[str, Any]) -> Any:
    """Return the instance of `model` that a query in the database `using` makes of these columns."""
    if is_observed(model):
        return model.from_db(using, tuple(fields), tuple(fields.values()))
    return _made(model, using, fields)


def _made(model: type[models.Model], using: str, attributes: dict[str, Any]) -> Any:
    """Return what `from_db` would, without Model.__init__(), which takes a large part of a signed-in request."""
    instance = object.__new__(model)
    attributes["_state"] = state = ModelState()
    state.adding, state.db = False, using
    object.__setattr__(instance, "__dict__", attributes)
    return instance


@cache
def columns(model: type[models.Model]) -> tuple[str, ...]:
    """Return the names of the attributes that hold what the columns of `model` hold."""
    return tuple(field.attname for field in model._meta.concrete_fields)


def loaded(user: AbstractBaseUser) -> AbstractBaseUser:
    """Return `user` with its row loaded. Raises UserVanished."""
    if isinstance(user, _claimed(conf.user_model)):
        user.refresh_from_db()
    return user


def load_before_end(user: AbstractBaseUser | None) -> None:
    """Load `user`, whose session this request is about to end: its row tells nobody of them afterwards.

    A view may still ask, and so may a receiver of `user_logged_out`.
    """
    if user is not None:
        with suppress(UserVanished):  # another request was first
            loaded(user)


def from_db_or_none(key: object) -> AbstractBaseUser | None:
    """Return the user as the table has them now; None if there is none."""
    return _rows(pk=key).first()


def save_atomically(model: type[AbstractBaseUser]) -> None:
    """Have a change of a user and what `post_save` does about it, such as ending sessions, commit together or not."""
    save_base = model.save_base
    if hasattr(save_base, "atomic"):
        return

    @wraps(save_base)
    def saved(self: AbstractBaseUser, *args: Any, **kwargs: Any) -> None:
        using = kwargs.get("using") or router.db_for_write(type(self), instance=self)
        with transaction.atomic(using=using, savepoint=False):
            save_base(self, *args, **kwargs)

    saved.atomic = True  # type: ignore[attr-defined]
    model.save_base = saved  # type: ignore[method-assign, assignment]


def _rows(**lookup: Any) -> models.QuerySet[AbstractBaseUser]:
    model = conf.user_model
    return model._base_manager.using(router.db_for_write(model)).filter(**lookup)


def is_observed(model: type[models.Model]) -> bool:
    """Return whether something of the site's runs when an instance of `model` is made."""
    if pre_init.receivers or post_init.receivers:
        return pre_init.has_listeners(model) or post_init.has_listeners(model) or _is_made_otherwise(model)
    return _is_made_otherwise(model)


@cache
def _is_made_otherwise(model: type[models.Model]) -> bool:
    own_from_db = model.from_db.__func__ is not models.Model.from_db.__func__  # type: ignore[attr-defined]
    if own_from_db or model.__init__ is not models.Model.__init__ or model.__setattr__ is not object.__setattr__:
        return True
    attributes = [getattr_static(model, name) for name in columns(model)]
    return any(hasattr(each, "__set__") and type(each) not in KEEPING for each in attributes)


@cache
def _only_active(backends: tuple[str, ...]) -> bool:
    """Return whether all these backends have Django's rule of whom to let in, which is active people."""
    from django.contrib.auth.backends import ModelBackend

    rules = (getattr(type(load_backend(path)), "user_can_authenticate", None) for path in backends)
    return all(rule is ModelBackend.user_can_authenticate for rule in rules)


def _plain(user: AbstractBaseUser, name: str) -> Claim:
    field = user._meta.get_field(name)
    assert isinstance(field, models.Field)  # noqa: S101  (a column, says check E008)
    value = field.value_from_object(user)
    plain: Claim = value if value is None or type(value) in (str, int, bool) else field.value_to_string(user)
    return plain


@cache
def _claimed(model: type[AbstractBaseUser]) -> type[AbstractBaseUser]:
    """Return a subclass that no app registry knows: whatever needs more than the claims first loads the row."""
    fields = frozenset(name for field in model._meta.concrete_fields for name in (field.name, field.attname))

    def load(self: AbstractBaseUser) -> AbstractBaseUser:
        row = vars(self)[LOAD]()
        vars(self).update(vars(row))
        del vars(self)[LOAD]
        self.__class__ = type(row)
        return self

    def first_loading(name: str) -> Callable[..., object]:
        def method(self: AbstractBaseUser, *args: object, **kwargs: object) -> object:
            return getattr(load(self), name)(*args, **kwargs)

        return method

    def set_attribute(self: AbstractBaseUser, name: str, value: object) -> None:
        model.__setattr__(load(self) if name in fields else self, name, value)

    body: dict[str, object] = {name: first_loading(name) for name in ("save", "save_base", "delete", "__reduce__")}
    body |= {
        "__module__": model.__module__,
        "__doc__": model.__doc__,
        "__setattr__": set_attribute,
        "refresh_from_db": lambda self, *args, **kwargs: load(self) and None,
    }
    return cast(type[AbstractBaseUser], type.__new__(ModelBase, model.__name__, (model,), body))
