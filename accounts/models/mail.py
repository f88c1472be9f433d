"""A mail on its way: kept until a mail server has taken it."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class OutgoingMail(models.Model):
    """What is to be told, not the text: words and links are made when it is sent, so that no secret lies here."""

    kind = models.CharField(_("kind"), max_length=40)
    # No constraint: a mail that is written while its person is being deleted must fail neither of the two.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("person"),
        null=True,
        on_delete=models.CASCADE,
        db_constraint=False,
        related_name="+",
    )
    to = models.EmailField(_("address"))
    language = models.CharField(_("language"), max_length=10)
    facts: Any = models.JSONField(_("facts"), default=dict)
    made_at = models.DateTimeField(_("written"), default=timezone.now, editable=False)
    due_at = models.DateTimeField(_("to be sent"), default=timezone.now, db_index=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)

    objects: ClassVar[models.Manager["OutgoingMail"]] = models.Manager()

    class Meta:
        verbose_name = _("outgoing mail")
        verbose_name_plural = _("outgoing mails")

    def __str__(self) -> str:
        return f"{self.kind} · {self.made_at:%Y-%m-%d %H:%M}"
