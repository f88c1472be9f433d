"""Decide which users an administrator may manage: only superusers give permissions, or manage those who have some.

An administrator who could change a colleague's email, or send them a link to a new password, could take over their
account.
"""

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet

from accounts.models import User

PRIVILEGE_FIELDS = ("is_staff", "is_superuser", "groups", "user_permissions")


def can_manage(actor: User | AnonymousUser, user: User) -> bool:
    """Return whether `actor`, given the permission, may act on `user`."""
    return bool(actor.is_superuser) or not (user.is_staff or user.is_superuser)


def manageable(actor: User | AnonymousUser, users: QuerySet[User]) -> QuerySet[User]:
    """Return those of `users` whom `actor` may manage."""
    return users if actor.is_superuser else users.exclude(staff_q())


def staff_q(path: str = "") -> Q:
    """Return the condition for users whom only superusers manage; `path` leads to the user, as in "user__"."""
    return Q(**{f"{path}is_staff": True}) | Q(**{f"{path}is_superuser": True})
