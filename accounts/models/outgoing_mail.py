"""Store the mails that no mail server has accepted yet."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.primary import PrimaryManager

# How long an attempt keeps all others away. After a crash in the middle of one, the mail waits for this long.
LEASE = timedelta(minutes=5)
FIRST_DELAY = timedelta(seconds=30)  # It doubles with each failed attempt.
MAX_DELAY = timedelta(hours=1)
RETENTION = timedelta(days=7)


class OutgoingMailQuerySet(models.QuerySet["OutgoingMail"]):
    """Find the mails to send."""

    def due(self) -> "OutgoingMailQuerySet":
        """Return the mails to send by now, the one that has waited longest first."""
        return self.filter(due_at__lte=timezone.now()).order_by("due_at", "pk")


class OutgoingMail(models.Model):
    """Store what a mail is about, not its text: that is rendered when it is sent, so no secret is stored here."""

    kind = models.CharField(_("type"), max_length=40)
    # Without a constraint, enqueueing a mail while its user is being deleted makes neither of the two fail.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        null=True,
        on_delete=models.CASCADE,
        db_constraint=False,
        related_name="+",
    )
    to = models.EmailField(_("email address"))
    language = models.CharField(_("language"), max_length=10)
    context = models.JSONField(_("data"), default=dict)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    due_at = models.DateTimeField(_("next attempt"), default=timezone.now, db_index=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)

    objects = PrimaryManager.from_queryset(OutgoingMailQuerySet)()

    class Meta:
        verbose_name = _("outgoing email")
        verbose_name_plural = _("outgoing emails")

    def __str__(self) -> str:
        return f"{self.kind} · {self.created_at:%Y-%m-%d %H:%M}"

    def claim(self) -> bool:
        """Claim the next attempt, and return whether it is the caller's.

        Of all who have read the row only one gets it, and nobody else can claim it until LEASE is over.
        """
        return self._move(LEASE, attempts=self.attempts + 1)

    def postpone(self) -> timedelta:
        """Schedule another attempt, and return in how long."""
        delay = min(FIRST_DELAY * (1 << min(self.attempts - 1, 16)), MAX_DELAY)
        self._move(delay)
        return delay

    @property
    def is_stale(self) -> bool:
        """Return whether the mail is too old to be tried again."""
        return timezone.now() - self.created_at > RETENTION

    def _move(self, delay: timedelta, **changes: object) -> bool:
        changes["due_at"] = timezone.now() + delay
        if not OutgoingMail.objects.filter(pk=self.pk, due_at=self.due_at).update(**changes):
            return False
        for name, value in changes.items():
            setattr(self, name, value)
        return True
