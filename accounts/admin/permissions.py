"""Decide which users an administrator may manage: only superusers give permissions, or manage those who have some.

An administrator who could change a colleague's email, or send them a link to a new password, could take over their
account.
"""

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet

from accounts.models import User

PRIVILEGE_FIELDS = ("is_staff", "is_superuser", "groups", "user_permissions")


def can_manage(actor: User | AnonymousUser, person: User) -> bool:
    """Return whether `actor`, given the permission, may act on `person`."""
    return bool(actor.is_superuser) or not (person.is_staff or person.is_superuser)


def manageable(actor: User | AnonymousUser, people: QuerySet[User]) -> QuerySet[User]:
    """Return those of `people` whom `actor` may manage."""
    return people if actor.is_superuser else people.exclude(staff_q())


def staff_q(path: str = "") -> Q:
    """Return the condition for users whom only superusers manage; `path` leads to the user, as in "user__"."""
    return Q(**{f"{path}is_staff": True}) | Q(**{f"{path}is_superuser": True})
