"""Deletes the rows of sign-ins that ended long ago, however many there are, without being in anybody's way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from time import monotonic, sleep

from django.db import connections, transaction
from django.utils import timezone

from .models import KEPT_AFTER_END, RefreshToken, RefreshTokenQuerySet

FEWEST, MOST = 100, 2_000  # rows in one transaction
AIM = 0.01  # seconds that one may take: whoever needs what it holds waits no longer


def old() -> RefreshTokenQuerySet:
    """The rows that no token can be good for any more."""
    rows: RefreshTokenQuerySet = RefreshToken.objects.filter(expires_at__lt=timezone.now() - KEPT_AFTER_END)
    return rows


def batches() -> Iterator[int]:
    """Deletes them, the oldest first; after each transaction, how many it deleted. May be stopped between any two.

    Each begins where the one before ended: what was deleted stays in an index until a vacuum, and to walk past all of
    it once more would take longer each time. Then it rests as long as it worked, and leaves the database to others.
    """
    limit, since = FEWEST, None
    while True:
        began = monotonic()
        deleted, since = _delete(limit, since)
        if since is None:
            return
        yield deleted
        took = monotonic() - began
        limit = max(FEWEST, min(MOST, limit * 2 if took < AIM / 2 else limit // 2 if took > AIM else limit))
        sleep(took)


def _delete(limit: int, since: datetime | None) -> tuple[int, datetime | None]:
    """Deletes at most `limit` rows that ended at `since` or later; how many, and when the last one ended (None: there
    was none). Rows that somebody else is deleting are left to them."""
    rows = old().order_by("expires_at")
    if since is not None:
        rows = rows.filter(expires_at__gte=since)
    can_skip = connections[rows.db].features.has_select_for_update_skip_locked
    with transaction.atomic(using=rows.db):
        locked = rows.select_for_update(skip_locked=can_skip, of=("self",))
        found = list(locked.values_list("pk", "expires_at")[:limit])
        deleted = RefreshToken.objects.filter(pk__in=[pk for pk, _ in found]).delete()[0]
    return deleted, found[-1][1] if found else None
