"""Which program a sign-in came from, by what it calls itself: told by the database, so that an index can know it.

Not for words that people read: a program may say anything.
"""

from __future__ import annotations

from django.db.models import Case, CharField, Q, Value, When
from django.db.models.functions import StrIndex
from django.db.models.lookups import GreaterThan

OTHER = "other"

# The first that fits: most call themselves by the names of others as well.
PARTS = {
    "edge": ("Edg",),
    "opera": ("OPR/",),
    "samsung": ("SamsungBrowser/",),
    "firefox": ("Firefox/", "FxiOS/"),
    "chrome": ("Chrome/", "CriOS/"),
    "safari": ("Safari/",),
}


def program() -> Case:
    """A key of PARTS, or OTHER. The same expression each time, by which the index is found."""
    return Case(
        *(When(_has_one_of(parts), then=Value(name)) for name, parts in PARTS.items()),
        default=Value(OTHER),
        output_field=CharField(),
    )


def _has_one_of(parts: tuple[str, ...]) -> Q:
    found = Q()
    for part in parts:
        found |= Q(GreaterThan(StrIndex("user_agent", Value(part)), 0))
    return found
