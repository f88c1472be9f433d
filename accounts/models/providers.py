"""Store the accounts elsewhere that users sign in with, and the visits to their providers that are under way.

No foreign key has a constraint: release 0.1.0, which may run beside this one, deletes users and knows none of these
tables.
"""

from datetime import timedelta
from hashlib import sha256

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.primary import PrimaryManager, prune

FLOW_LIFETIME = timedelta(minutes=10)
LONGEST_SUBJECT = 255  # OpenID Connect Core §2


class Identity(models.Model):
    """Store an account at a provider: known by its issuer and subject, never by its email, which may change hands."""

    # The digest of issuer and subject, since not every database compares those exactly.
    key = models.CharField(max_length=64, unique=True, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="identities", verbose_name=_("user"), db_constraint=False
    )
    user_id: object
    provider = models.CharField(_("provider"), max_length=16)
    issuer = models.CharField(_("issuer"), max_length=200)
    subject = models.CharField(_("subject"), max_length=LONGEST_SUBJECT)
    email = models.CharField(_("email address"), max_length=254, blank=True)  # as the provider told it last
    owns_email = models.BooleanField(default=False, editable=False)  # whether the provider vouched for it, believed
    created_at = models.DateTimeField(_("added"), default=timezone.now)
    last_used_at = models.DateTimeField(_("last used"), default=timezone.now)

    objects = PrimaryManager()

    class Meta:
        verbose_name = _("account at a provider")
        verbose_name_plural = _("accounts at providers")
        ordering = ("created_at", "pk")
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.email or self.subject

    @staticmethod
    def key_of(issuer: str, subject: str) -> str:
        """Return the key of the account `subject` of `issuer`, neither of which contains a line break."""
        return sha256(f"{issuer}\n{subject}".encode()).hexdigest()


class ProviderFlowQuerySet(models.QuerySet["ProviderFlow"]):
    def open(self) -> "ProviderFlowQuerySet":
        """Return those that an answer can still complete."""
        return self._recent().filter(spent=False)

    def spent(self) -> "ProviderFlowQuerySet":
        """Return those that have had their answer, and still say what they were for."""
        return self._recent().filter(spent=True)

    def over(self) -> "ProviderFlowQuerySet":
        return self.exclude(created_at__gt=timezone.now() - FLOW_LIFETIME)

    def answer(self, answer: dict[str, str]) -> None:
        """Keep the first answer that a provider has posted."""
        self.open().filter(answer__isnull=True).update(answer=answer)

    def spend(self) -> bool:
        """Use the flow up; return whether it was open."""
        return bool(self.open().update(spent=True, answer=None))

    def prune(self) -> None:
        """Delete some of those that are over."""
        prune(self.over().order_by("created_at"))

    def _recent(self) -> "ProviderFlowQuerySet":
        return self.filter(created_at__gt=timezone.now() - FLOW_LIFETIME)


class ProviderFlow(models.Model):
    """Store that a browser was sent to a provider, and what for.

    The secret that the browser holds in a cookie is not here, so a leaked table reveals neither the nonce nor the
    verifier, which are made from it (accounts/providers/flows.py).
    """

    class Purpose(models.TextChoices):
        """Say what an answer of the provider is for."""

        SIGN_IN = "sign_in"
        LINK = "link"
        REAUTHENTICATE = "reauthenticate"

    state = models.CharField(primary_key=True, max_length=64)  # the digest of what the cookie holds
    provider = models.CharField(max_length=16)
    purpose = models.CharField(max_length=16)
    session_id = models.UUIDField(null=True)  # of the signed-in session that asked, unless it is for a sign-in
    next = models.TextField(blank=True)
    remember = models.BooleanField(default=False)
    carried_form = models.TextField(blank=True)  # encrypted: accounts/security/carried_forms.py
    answer = models.JSONField(null=True)  # what the provider has posted, for the request that brings the cookie
    spent = models.BooleanField(default=False)  # was answered, but says what it was for until somebody has signed in
    # The name of a provider, and the subject and the email that it vouches for: whoever owns the account with that
    # email adds them to it by signing in.
    offered = models.JSONField(null=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    objects = PrimaryManager.from_queryset(ProviderFlowQuerySet)()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.state[:8]
