"""The end of every session at once, as a fact with a time."""

from __future__ import annotations

from datetime import datetime

from django.db import models, router, transaction
from django.utils import timezone

from ..revocation import EVERY_ROW, get_revocation_list


class EndOfAllManager(models.Manager["EndOfAll"]):
    def record(self) -> datetime:
        """Have every session that has begun by now end. Return the moment."""
        using = router.db_for_write(self.model)
        moment = timezone.now()  # by the clock that `created_at` is of
        with transaction.atomic(using=using):
            get_revocation_list().add([EVERY_ROW])
            self.using(using).update_or_create(pk=EVERY_ROW, defaults={"ended_at": moment})
            transaction.on_commit(lambda: get_revocation_list().add([EVERY_ROW]), using=using, robust=True)
        return moment


class EndOfAll(models.Model):
    """The moment before which every session has ended, whatever its row says (`endsessions --all`).

    To write it into a million rows takes a minute. This takes one statement, and also ends the session whose row is
    being inserted at that moment. Every reading of a row compares (`RefreshTokenManager.get_queryset`).
    """

    id = models.UUIDField(primary_key=True, default=EVERY_ROW, editable=False)  # there is one, with the key of no row
    ended_at = models.DateTimeField()

    objects = EndOfAllManager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.ended_at)
