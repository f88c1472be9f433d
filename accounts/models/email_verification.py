"""Store the requests to verify an email, which a link or a code from a mail answers."""

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import F
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.fields import EmailField
from accounts.models.primary import PrimaryManager, prune
from accounts.security.normalization import normalize_email

if TYPE_CHECKING:
    from accounts.models.user import User

LINK_LIFETIME = timedelta(hours=1)  # time to find the mail, perhaps on another device
CODE_LIFETIME = timedelta(minutes=10)  # short, because a code can be guessed (ASVS 6.5.5, NIST SP 800-63B §3.1.3.2)
CODE_TRIES = 5  # of a million codes; then only the link works
UNDO_LIFETIME = timedelta(days=7)  # time to read the mail after a journey
RETENTION = timedelta(days=8)  # longer than any link of a row works


class EmailVerificationQuerySet(models.QuerySet["EmailVerification"]):
    """Claim rows by one conditional UPDATE, whose row count decides: of two simultaneous claims only one succeeds."""

    def pending(self) -> "EmailVerificationQuerySet":
        """Return those that have not been confirmed."""
        return self.filter(confirmed_at=None)

    def open(self) -> "EmailVerificationQuerySet":
        """Return those that a link can still confirm."""
        return self.pending().filter(requested_at__gt=timezone.now() - LINK_LIFETIME)

    def changes(self) -> "EmailVerificationQuerySet":
        """Return the changes of an email that its previous owner can still undo."""
        since = timezone.now() - UNDO_LIFETIME
        return self.filter(confirmed_at__gt=since, undone_at=None).exclude(previous_email="")

    def reserving(self, email: str) -> "EmailVerificationQuerySet":
        """Return the changes that can still restore `email` to whoever had confirmed it, the latest one first."""
        proved = self.changes().filter(previous_email_verified=True)
        return proved.filter(folded_previous=Lower(models.Value(normalize_email(email)))).order_by("-confirmed_at")

    def restart(self) -> bool:
        """Restart the lifetime when the mail is sent; return whether there is still something to confirm."""
        return bool(self.pending().update(requested_at=timezone.now()))

    def mark_refused(self) -> bool:
        """Note that the mail server refused the mail; return whether there was still something to confirm."""
        return bool(self.pending().update(refused_at=timezone.now()))

    def confirm(self, user: "User") -> bool:
        """Confirm what is still open, and store what its `user` had until now; return whether anything was open."""
        verified = user.email_verified_at is not None
        before = {"previous_email_verified": verified, "previous_username": user.username}
        return bool(self.open().update(confirmed_at=timezone.now(), **before))

    def use_attempt(self) -> bool:
        """Count an attempt at the code before the code is compared; return whether there was one left."""
        young = self.pending().filter(requested_at__gt=timezone.now() - CODE_LIFETIME, tries__lt=CODE_TRIES)
        return bool(young.update(tries=F("tries") + 1))

    def undo(self) -> bool:
        """Undo what can still be undone; return whether anything was."""
        return bool(self.changes().update(undone_at=timezone.now()))

    def prune(self) -> None:
        """Delete some of those that have no effect any more."""
        prune(self.filter(requested_at__lt=timezone.now() - RETENTION).order_by("requested_at"))


class EmailVerification(models.Model):
    """Store one request to verify the account's email, or a new one (then `previous_email` is the account's own).

    Neither the link's token nor the code is stored, nor a hash of one: both are derived from the secret key, this row,
    the user's email and the time of their last change of password, so either change invalidates them.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    # Without a constraint, requesting a verification while the user is being deleted makes neither of the two fail.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        on_delete=models.CASCADE,
        db_constraint=False,
        related_name="email_verifications",
    )
    email = EmailField(_("email address"))
    previous_email = EmailField(_("previous email address"), blank=True)
    folded_previous = models.GeneratedField(
        expression=Lower("previous_email"), output_field=models.EmailField(), db_persist=True, db_index=True
    )
    # If so, no other account can take the previous email while the change can be undone.
    previous_email_verified = models.BooleanField(_("previous address was confirmed"), default=False)
    # The user name when the change was confirmed, which an undo restores as well.
    previous_username = models.CharField(_("user name at the time"), max_length=150, blank=True)
    requested_at = models.DateTimeField(_("requested"), default=timezone.now, editable=False, db_index=True)
    tries = models.PositiveSmallIntegerField(_("code attempts"), default=0)
    # When the mail server refused the mail that it caused, whether to its user or to who owns the email.
    refused_at = models.DateTimeField(_("refused"), null=True)
    confirmed_at = models.DateTimeField(_("confirmed"), null=True)
    undone_at = models.DateTimeField(_("undone"), null=True)

    objects = PrimaryManager.from_queryset(EmailVerificationQuerySet)()

    class Meta:
        verbose_name = _("email verification")
        verbose_name_plural = _("email verifications")

    def __str__(self) -> str:
        return str(self.id)

    @property
    def is_open(self) -> bool:
        """Return whether its link can still confirm it."""
        return self.confirmed_at is None and self.requested_at > timezone.now() - LINK_LIFETIME

    @property
    def is_in_effect(self) -> bool:
        """Return whether it was confirmed, and its email still is that of the user."""
        return self.confirmed_at is not None and self.email == self.user.email

    @property
    def is_undoable(self) -> bool:
        """Return whether its change can still be undone."""
        since = timezone.now() - UNDO_LIFETIME
        return self.undone_at is None and self.confirmed_at is not None and self.confirmed_at > since

    @property
    def tries_left(self) -> int:
        """Return how many more codes can be tried."""
        return max(CODE_TRIES - self.tries, 0)
