"""The person behind a token: `request.user` from claims, without a query."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, cast

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db.models import F
from django.db.models.base import ModelBase, ModelState

from .conf import conf
from .exceptions import InvalidToken
from .jwts import Claim


class UserVanished(ObjectDoesNotExist):
    """The row of a person was deleted behind Django's back while their access token was still good."""

    silent_variable_failure = False  # or a template would show half a person


def key_of(sub: str) -> Any:
    """The primary key that `sub` stands for. Raises InvalidToken unless it is the key's one canonical form:
    int() alone would take " 42", "4_2" and other scripts' digits, and one person would have many names."""
    field = get_user_model()._meta.pk
    try:
        key = field.to_python(sub)
        field.run_validators(key)  # a number that no column holds is an error of the database's, and no row
    except ValidationError:
        raise InvalidToken("The subject is not a key.") from None
    if str(key) != sub:
        raise InvalidToken("The subject is not a key in its canonical form.")
    return key


def claims_of(user: Any) -> dict[str, Claim]:
    """What an access token says about `user` (TOKENS_USER_CLAIMS)."""
    return {name: _plain(user, name) for name in conf.user_claims}


def from_claims(sub: str, claims: Mapping[str, Claim]) -> AbstractBaseUser:
    """An instance of the user model that knows its key and `claims`, and loads the rest when it is asked for.

    It is active: only a live sign-in of an active person comes this far. The first assignment, save or other
    field loads the whole row, once; from then on it is an ordinary instance, and a stale claim is never written.
    """
    model = get_user_model()
    told = {name: claims[name] for name in conf.user_claims if name in claims}
    known: dict[str, Any] = told | {model._meta.pk.attname: sub, "is_active": True}
    fields = [field for field in model._meta.concrete_fields if field.attname in known]
    values = [field.to_python(known[field.attname]) for field in fields]
    user = model.from_db(model._default_manager.db, [field.attname for field in fields], values)
    user.__class__ = _claimed(model)  # type: ignore[assignment]
    return user


def twin(user: AbstractBaseUser) -> AbstractBaseUser:
    """A second instance with the fields of `user`, at a tenth of the cost of making it from claims."""
    other = object.__new__(type(user))
    state = ModelState()
    state.adding, state.db = False, user._state.db
    vars(other).update(vars(user), _state=state)
    return other


def whole(user: AbstractBaseUser) -> AbstractBaseUser:
    """`user` with its row loaded. Raises UserVanished if there is none."""
    if isinstance(user, _claimed(get_user_model())):
        user.refresh_from_db()
    return user


def fresh(key: Any) -> AbstractBaseUser | None:
    """The person as the table has them now; None if gone."""
    return get_user_model()._base_manager.filter(pk=key).first()


def lock(key: Any, **stamp: Any) -> AbstractBaseUser | None:
    """The person, read under the lock that sign-ins and mass revocations share; None if gone.

    To be called first in a transaction. An UPDATE, even one that changes nothing, locks on every database; on
    SQLite `select_for_update` does not. `stamp` names what it is to change after all, if the model has it.
    """
    people = get_user_model()._base_manager.filter(pk=key)
    fields = {field.name for field in people.model._meta.concrete_fields}
    values = {name: value for name, value in stamp.items() if name in fields}
    if not people.update(**(values or {"password": F("password")})):
        return None
    return people.get()


def auth_hash(user: AbstractBaseUser) -> str:
    """What a row keeps of the password: a hash of Django's session hash, which changes with the password."""
    return _digest(user.get_session_auth_hash())


def auth_hashes(user: AbstractBaseUser) -> Iterator[str]:
    """All values of `auth_hash` that are good for `user`: today's, then those of SECRET_KEY_FALLBACKS."""
    yield auth_hash(user)
    yield from map(_digest, user.get_session_auth_fallback_hash())


def _plain(user: Any, name: str) -> Claim:
    field = user._meta.get_field(name)
    value = field.value_from_object(user)
    plain: Claim = value if value is None or type(value) in (str, int, bool) else field.value_to_string(user)
    return plain


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


@cache
def _claimed(model: type[AbstractBaseUser]) -> type[AbstractBaseUser]:
    """A subclass that no app registry knows. Whatever needs more than the claims first makes the instance ordinary."""
    fields = frozenset(name for field in model._meta.concrete_fields for name in (field.name, field.attname))

    def load(self: Any) -> Any:
        self.__class__ = model
        try:
            model.refresh_from_db(self, fields=[field.attname for field in model._meta.concrete_fields])
        except Exception as error:
            self.__class__ = _claimed(model)  # or it would be ordinary, and save the claims
            if isinstance(error, model.DoesNotExist):
                raise UserVanished("The person behind a good token has no row any more.") from None
            raise
        return self

    def first_loading(name: str) -> Any:
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            return getattr(load(self), name)(*args, **kwargs)

        return method

    def set_attribute(self: Any, name: str, value: Any) -> None:
        model.__setattr__(load(self) if name in fields else self, name, value)

    body = {name: first_loading(name) for name in ("save", "save_base", "delete", "__reduce__")}
    body |= {
        "__module__": model.__module__,
        "__doc__": model.__doc__,
        "__setattr__": set_attribute,
        "refresh_from_db": lambda self, *args, **kwargs: load(self) and None,
    }
    unregistered: Any = type.__new__(ModelBase, model.__name__, (model,), body)
    return cast(type[AbstractBaseUser], unregistered)
