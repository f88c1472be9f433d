"""Whether an e-mail address is its account's: asked by a mail, answered by a link or a code."""

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import F
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.security.validators import normalize_email_domain

if TYPE_CHECKING:
    from accounts.models.user import User

LINK_LIFETIME = timedelta(hours=1)  # time to find the mail, on another device perhaps
CODE_LIFETIME = timedelta(minutes=10)  # a code can be guessed at: ASVS 6.5.5, NIST SP 800-63B §3.1.3.2
CODE_TRIES = 5  # of a million; then only the link is left
UNDO_LIFETIME = timedelta(days=7)  # time to come back from a journey and read the mail
RETENTION = timedelta(days=8)  # beyond it no link that belongs to a row can be good
PRUNE_BATCH = 100


class EmailVerificationQuerySet(models.QuerySet["EmailVerification"]):
    """A claim on a row is one conditional UPDATE, and its count decides: of two at once, one has it."""

    def pending(self) -> "EmailVerificationQuerySet":
        return self.filter(confirmed_at=None)

    def open(self) -> "EmailVerificationQuerySet":
        """What a link can still confirm."""
        return self.pending().filter(requested_at__gt=timezone.now() - LINK_LIFETIME)

    def changes(self) -> "EmailVerificationQuerySet":
        """What the address from before can still take back."""
        since = timezone.now() - UNDO_LIFETIME
        return self.filter(confirmed_at__gt=since, undone_at=None).exclude(previous_email="")

    def reserving(self, email: str) -> "EmailVerificationQuerySet":
        """Changes that can still give `email` back to whoever had proved it; of several, the one that lasts longest."""
        email = normalize_email_domain(email)
        proved = self.changes().filter(previous_email_verified=True).alias(folded=Lower("previous_email"))
        return proved.filter(folded=Lower(models.Value(email))).order_by("-confirmed_at")

    def restart(self) -> bool:
        """Have the time run from now, when the mail leaves; whether there is still something to confirm."""
        return bool(self.pending().update(requested_at=timezone.now()))

    def confirm(self, user: "User") -> bool:
        """Confirm it, and keep what `user`, whose it is, was until now; whether it was still open."""
        verified = user.email_verified_at is not None
        before = {"previous_email_verified": verified, "previous_username": user.username}
        return bool(self.open().update(confirmed_at=timezone.now(), **before))

    def use_attempt(self) -> bool:
        """Counts a try of the code, before it is looked at; whether there was one left."""
        young = self.pending().filter(requested_at__gt=timezone.now() - CODE_LIFETIME, tries__lt=CODE_TRIES)
        return bool(young.update(tries=F("tries") + 1))

    def undo(self) -> bool:
        return bool(self.changes().update(undone_at=timezone.now()))

    def prune(self, limit: int = PRUNE_BATCH) -> int:
        """Deletes at most `limit` rows that can do nothing any more; the number deleted."""
        old = self.filter(requested_at__lt=timezone.now() - RETENTION).order_by("requested_at")
        return self.filter(pk__in=list(old.values_list("pk", flat=True)[:limit])).delete()[0]


class EmailVerification(models.Model):
    """One asking: of the account's own address, or of the one that is to replace it (then `previous_email` is its own).

    Neither the link's token nor the code is stored, nor a hash of one: both follow from the secret key, this row and
    its person's password and address, so that a change of either kills them.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    # No constraint: to ask for a proof while the person is being deleted must fail neither of the two. Without a
    # person, a sign-up came to nothing: whoever tries codes finds the same row there, and is told the same.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("person"),
        null=True,
        on_delete=models.CASCADE,
        db_constraint=False,
        related_name="email_verifications",
    )
    email = models.EmailField(_("e-mail address"))
    previous_email = models.EmailField(_("the one before"), blank=True)
    # Then nobody else gets the one before while the change can be undone.
    previous_email_verified = models.BooleanField(_("the one before was confirmed"), default=False)
    # When the change was confirmed: an undo puts it back as well.
    previous_username = models.CharField(_("the user name then"), max_length=150, blank=True)
    requested_at = models.DateTimeField(_("asked"), default=timezone.now, editable=False, db_index=True)
    tries = models.PositiveSmallIntegerField(_("codes tried"), default=0)
    confirmed_at = models.DateTimeField(_("confirmed"), null=True)
    undone_at = models.DateTimeField(_("undone"), null=True)

    objects = EmailVerificationQuerySet.as_manager()

    class Meta:
        verbose_name = _("proof of an address")
        verbose_name_plural = _("proofs of addresses")
        indexes = (models.Index(Lower("previous_email"), name="accounts_verification_previous"),)

    def __str__(self) -> str:
        return str(self.id)
