"""Say who has a second factor, who needs one, and what counts as having shown one."""

from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.db import router
from django.db.models import Exists, OuterRef, QuerySet, Value

from accounts.models import User
from accounts.models.factors import Authenticator, Passkey
from tokens.models.prepared import Parameter, Prepared

MULTI_FACTOR = "mfa"  # RFC 8176
TRUSTED = "rba"  # by RFC 8176 “risk-based”: the browser is one that its user trusts
GROUP = "group:"  # before the name of a group, in REQUIRE_SECOND_FACTOR_FOR


def has_other_factor(passkey: Passkey) -> bool:
    """Return whether a user would have a second factor without `passkey`."""
    others = Passkey.objects.filter(user=passkey.user_id).exclude(pk=passkey.pk)
    return others.exists() or Authenticator.objects.filter(user=passkey.user_id).exists()


def has_factor(user: User) -> bool:
    """Return whether `user` has a second factor, in one query."""
    return bool(_WITH_FACTOR.select(router.db_for_write(User), id=user.pk))


def _with_factor() -> QuerySet[User, Any]:
    own = {"user": OuterRef("pk")}
    factors = Exists(Passkey.objects.filter(**own)) | Exists(Authenticator.objects.filter(**own))
    return User.objects.filter(factors, pk=Parameter("id", User._meta.pk)).values_list(Value(1))


_WITH_FACTOR = Prepared(_with_factor)


def is_required(user: User) -> bool:
    """Return whether `user` has to have a second factor (REQUIRE_SECOND_FACTOR_FOR), as the database has them now.

    Only groups take a query.
    """
    words = settings.REQUIRE_SECOND_FACTOR_FOR
    if (user.is_staff and "staff" in words) or (user.is_superuser and "superusers" in words):
        return True
    groups = [word.removeprefix(GROUP) for word in words if word.startswith(GROUP)]
    return bool(groups) and user.groups.using(router.db_for_write(User)).filter(name__in=groups).exists()


def must_enrol(user: User) -> bool:
    """Return whether `user` has to set up a second factor before anything else."""
    return is_required(user) and not has_factor(user)


def may_go_on(user: User, amr: Collection[str]) -> bool:
    """Return whether a session of `user`, who has shown by `amr` who they are, may open any page."""
    return not is_required(user) or (MULTI_FACTOR in amr and has_factor(user))


def is_enough(user: User, amr: Collection[str]) -> bool:
    """Return whether a session of `user` may begin who has shown by `amr` who they are.

    A browser that they trust spares nobody the second factor who is required to have one.
    """
    if MULTI_FACTOR in amr or (TRUSTED in amr and not is_required(user)):
        return True
    return not has_factor(user)
