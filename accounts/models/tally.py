"""How often something happened within an hour: a number, and nobody's name."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from django.db import models, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.event import HISTORY_KEPT


class TallyQuerySet(models.QuerySet["Tally"]):
    def add(self, counted: Mapping[tuple[datetime, str], int]) -> None:
        """Adds to the numbers of hours and branches what one process has `counted`, all of it or nothing."""
        keys = sorted(counted)  # in one order, or two processes could deadlock
        with transaction.atomic(using=self.db):
            self.bulk_create([Tally(hour=hour, branch=branch) for hour, branch in keys], ignore_conflicts=True)
            for hour, branch in keys:
                self.filter(hour=hour, branch=branch).update(count=F("count") + counted[hour, branch])

    def old(self) -> "TallyQuerySet":
        """What is kept no longer."""
        return self.filter(hour__lt=timezone.now() - HISTORY_KEPT)


class Tally(models.Model):
    class Branch(models.TextChoices):
        """The branches of the rule (docs/explanation/rotation.md), in words."""

        CHILD = "child", _("a new refresh token was handed out")
        KEPT = "kept", _("a young refresh token was kept")
        CONFIRMED_BY_REFRESH = "confirmed_by_refresh", _("a refresh token was confirmed by its use")
        CONFIRMED_BY_ACCESS = "confirmed_by_access", _("a refresh token was confirmed by its access token")
        BEHIND = "behind", _("the database had lost writes")
        LATE = "late", _("an answer left too late for its cookies")
        PROBED = "probed", _("an old copy of a sign-in was tried")
        ANSWERED = "answered", _("an old copy turned out to be a late request")
        REUSED = "reused", _("a copy of a sign-in was used")
        DEAD = "dead", _("a sign-in that is over was shown")

    hour = models.DateTimeField(_("hour"))
    branch = models.CharField(_("what"), max_length=32, choices=Branch)
    count = models.PositiveBigIntegerField(_("how often"), default=0)

    objects: ClassVar[models.Manager["Tally"]] = models.Manager.from_queryset(TallyQuerySet)()

    class Meta:
        verbose_name = _("tally")
        verbose_name_plural = _("tallies")
        ordering = ("-hour", "branch")
        default_permissions = ("view",)
        constraints = (models.UniqueConstraint(fields=["hour", "branch"], name="accounts_tally_unique"),)

    def __str__(self) -> str:
        return f"{self.get_branch_display()} · {self.hour:%Y-%m-%d %H:%M}"
