"""Delete the rows of sessions that ended long ago, however many there are, without holding up anybody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from time import monotonic, sleep

from django.db import transaction
from django.utils import timezone

from ..conf import conf
from ..models import KEPT_AFTER_END, RefreshToken, RefreshTokenQuerySet, locks

FEWEST, MOST = 100, 2_000  # rows in one transaction
AIM = 0.01  # seconds that one may take: nobody waits longer for its locks


def old() -> RefreshTokenQuerySet:
    """Return the rows that no token can be good for any more.

    One that was taken over from an old session stays while the site moves: whoever has that session's key could use it
    once more.
    """
    rows: RefreshTokenQuerySet = RefreshToken.objects.on_primary().filter(
        expires_at__lt=timezone.now() - KEPT_AFTER_END
    )
    return rows.exclude(method=RefreshToken.Method.MOVED) if conf.adopt_sessions else rows


def batches() -> Iterator[int]:
    """Delete them, the oldest first; yield after each transaction how many it deleted. May be stopped between any two.

    Each begins where the one before ended: what was deleted stays in the index until a vacuum, and walking past all of
    it again would take longer each time. Then it rests for as long as it worked, and leaves the database to others.
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
    """Delete at most `limit` rows that ended at `since` or later.

    Return how many, and when the last one ended (None: there was none). Rows that another process is deleting are left
    to it.
    """
    rows = old().order_by("expires_at")
    if since is not None:
        rows = rows.filter(expires_at__gte=since)
    with transaction.atomic(using=rows.db):
        locked = locks.locking(rows, skip_locked=True)
        found = list(locked.values_list("pk", "expires_at")[:limit])
        deleted = RefreshToken.objects.using(rows.db).filter(pk__in=[pk for pk, _ in found]).delete()[0]
    return deleted, found[-1][1] if found else None
