"""What has happened to Django's sessions that no row stands for yet (TOKENS_ADOPT_SESSIONS)."""

from __future__ import annotations

from django.db import models, router
from django.db.models.functions import Now

from ..conf import conf

EVERYBODY = ""  # instead of a user's key


class OldSessionsManager(models.Manager["OldSessions"]):
    def end(self, *keys: object) -> None:
        """Have no old session of the users with these keys taken over any more; of nobody at all for EVERYBODY."""
        if conf.adopt_sessions:
            subs = [str(key) for key in keys]
            rows = self._on_primary()
            rows.bulk_create([self.model(sub=sub) for sub in subs], ignore_conflicts=True)
            rows.filter(pk__in=subs).update(ended_at=Now())

    def have_ended(self, key: object) -> bool:
        """Return whether all old sessions of this user have ended."""
        return self._on_primary().filter(pk__in=[EVERYBODY, str(key)]).exclude(ended_at=None).exists()

    def carry_over(self, key: object, old: str, new: str) -> None:
        """Remember that the password of this user is the same with the `auth_hash` `new` as with `old`."""
        if conf.adopt_sessions and not self._on_primary().filter(pk=str(key), new_hash=old).update(new_hash=new):
            self._on_primary().update_or_create(pk=str(key), defaults={"old_hash": old, "new_hash": new})

    def hash_of_today(self, key: object, old: str) -> str | None:
        """Return the `auth_hash` that the password of this user has instead of `old`; None if nothing is known."""
        return self._on_primary().filter(pk=str(key), old_hash=old).values_list("new_hash", flat=True).first()

    def _on_primary(self) -> models.QuerySet[OldSessions]:
        return self.using(router.db_for_write(self.model))


class OldSessions(models.Model):
    """What has happened to all sessions of a user that are still to be taken over (TOKENS_ADOPT_SESSIONS).

    They cannot be found by their user, so what ends or keeps all of them is remembered here, while the setting is on.
    """

    sub = models.CharField(primary_key=True, max_length=255)  # the user's key, or EVERYBODY
    ended_at = models.DateTimeField(null=True)
    old_hash = models.CharField(max_length=64)  # an `auth_hash`: those sessions know the password by it
    new_hash = models.CharField(max_length=64)  # the same password, hashed anew

    objects = OldSessionsManager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.sub
