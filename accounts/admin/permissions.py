"""Who may do something to whom: rights are the superusers' business, and so is whoever has some.

An administrator who could give another address to a colleague, or a link to a new password, could be that colleague.
"""

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet

from accounts.models import User

PRIVILEGE_FIELDS = ("is_staff", "is_superuser", "groups", "user_permissions")


def can_manage(actor: User | AnonymousUser, person: User) -> bool:
    """Whether `actor`, with the permission for it, may do something to `person`."""
    return bool(actor.is_superuser) or not (person.is_staff or person.is_superuser)


def manageable(actor: User | AnonymousUser, people: QuerySet[User]) -> QuerySet[User]:
    """The ones of `people` whom `actor` may do something to."""
    return people if actor.is_superuser else people.exclude(staff_q())


def staff_q(path: str = "") -> Q:
    """Whom superusers alone do something to; `path` leads to the person, as in "user__"."""
    return Q(**{f"{path}is_staff": True}) | Q(**{f"{path}is_superuser": True})
