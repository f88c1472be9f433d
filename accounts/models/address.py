"""Whether an e-mail address is its account's: asked by a mail, answered by a link or a code."""

from typing import ClassVar
from uuid import uuid4

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class AddressProof(models.Model):
    """One asking: of the account's own address, or of the one that is to replace it.

    Neither the link's token nor the code is stored, nor a hash of one: both follow from the secret key, this row and
    its person's password and address, so that a change of either kills them.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    # No constraint: to ask for a proof while the person is being deleted must fail neither of the two.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("person"),
        on_delete=models.CASCADE,
        db_constraint=False,
        related_name="address_proofs",
    )
    address = models.EmailField(_("e-mail address"))
    previous = models.EmailField(_("the one before"), blank=True)
    asked_at = models.DateTimeField(_("asked"), default=timezone.now, editable=False)
    tries = models.PositiveSmallIntegerField(_("codes tried"), default=0)
    confirmed_at = models.DateTimeField(_("confirmed"), null=True)
    undone_at = models.DateTimeField(_("undone"), null=True)

    objects: ClassVar[models.Manager["AddressProof"]] = models.Manager()

    class Meta:
        verbose_name = _("proof of an address")
        verbose_name_plural = _("proofs of addresses")

    def __str__(self) -> str:
        return str(self.id)
