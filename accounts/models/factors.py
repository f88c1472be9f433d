"""Store the second factors of users, and the sign-ins that wait for one.

Whatever works once is claimed by one conditional UPDATE, whose row count decides: no cache, every database. No foreign
key has a constraint: release 0.1.0, which may run beside this one, deletes users and knows none of these tables.
"""

from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.account.user_agents import Device, describe
from accounts.models.email_verification import LINK_LIFETIME
from accounts.models.primary import PrimaryManager, prune

if TYPE_CHECKING:
    from accounts.models.user import User

ATTEMPT_LIFETIME = timedelta(minutes=5)  # time to find the phone
ATTEMPT_TRIES = 5  # of a million codes
TRUST_LIFETIME = timedelta(days=30)
LONGEST_CREDENTIAL_ID = 512  # bytes; WebAuthn allows 1,023, which not every database can index
REMOVAL_DELAY = timedelta(hours=72)  # time to object, over a weekend
REMINDER_PAUSE = timedelta(hours=20)  # less than a day, since the daily command is not to the minute


class FactorSettings(models.Model):
    """Store what belongs to a user's factors together rather than to one of them."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="factor_settings", db_constraint=False
    )
    # What authenticators know the user by (WebAuthn §14.6.1): random, so that no device reveals a key of ours.
    handle = models.UUIDField(default=uuid4, editable=False)
    passkey_offered_at = models.DateTimeField(null=True, editable=False)
    protected_since = models.DateTimeField(null=True, editable=False)  # when the first of their present factors came

    objects = PrimaryManager()

    def __str__(self) -> str:
        return str(self.handle)


class PasskeyQuerySet(models.QuerySet["Passkey"]):
    def spend(self, moment: datetime, **seen: object) -> bool:
        """Accept the response to a challenge of `moment` unless that or a later one was spent; return whether it was.

        `seen` names what the response says of the credential.
        """
        unspent = self.filter(Q(challenged_at=None) | Q(challenged_at__lt=moment))
        return bool(unspent.update(challenged_at=moment, last_used_at=timezone.now(), **seen))


class Passkey(models.Model):
    """Store a WebAuthn credential: the public half of it, so a leaked table signs nobody in."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="passkeys", verbose_name=_("user"), db_constraint=False
    )
    credential_id = models.CharField(max_length=-(-LONGEST_CREDENTIAL_ID * 4 // 3), unique=True)  # base64url
    public_key = models.BinaryField()  # COSE
    sign_count = models.PositiveBigIntegerField(default=0)
    transports = models.CharField(max_length=100, blank=True)  # separated by spaces
    aaguid = models.UUIDField(null=True)
    backup_eligible = models.BooleanField(_("synced"), default=False)  # may leave its device, and never changes
    backed_up = models.BooleanField(default=False)
    discoverable = models.BooleanField(default=False)  # can sign in without a user name
    name = models.CharField(_("name"), max_length=60, blank=True)
    created_at = models.DateTimeField(_("added"), default=timezone.now)
    last_used_at = models.DateTimeField(_("last used"), null=True)
    challenged_at = models.DateTimeField(null=True)  # of the last challenge that was spent

    objects = PrimaryManager.from_queryset(PasskeyQuerySet)()

    class Meta:
        verbose_name = _("passkey")
        verbose_name_plural = _("passkeys")
        ordering = ("created_at", "pk")
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.name or str(self._meta.verbose_name)


class AuthenticatorQuerySet(models.QuerySet["Authenticator"]):
    def spend(self, counter: int) -> bool:
        """Accept the code of the time step `counter` unless that or a later one was spent; return whether it was."""
        unspent = self.filter(Q(last_counter=None) | Q(last_counter__lt=counter))
        return bool(unspent.update(last_counter=counter, last_used_at=timezone.now()))


class Authenticator(models.Model):
    """Store the secret that a user's authenticator app shares with us (TOTP, RFC 6238), encrypted."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="authenticator",
        verbose_name=_("user"),
        db_constraint=False,
    )
    secret = models.CharField(max_length=255)
    last_counter = models.BigIntegerField(null=True)  # the time step of the last code that was spent
    confirmed_at = models.DateTimeField(_("added"), default=timezone.now)
    last_used_at = models.DateTimeField(_("last used"), null=True)

    objects = PrimaryManager.from_queryset(AuthenticatorQuerySet)()

    class Meta:
        verbose_name = _("authenticator app")
        verbose_name_plural = _("authenticator apps")
        default_permissions = ("view",)

    def __str__(self) -> str:
        return str(self._meta.verbose_name)


class RecoveryCodeQuerySet(models.QuerySet["RecoveryCode"]):
    def unused(self) -> "RecoveryCodeQuerySet":
        return self.filter(used_at=None)

    def spend(self) -> bool:
        """Use the code up; return whether it was unused."""
        return bool(self.unused().update(used_at=timezone.now()))


class RecoveryCode(models.Model):
    """Store a code for whoever has lost their factors, hashed like a password."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="recovery_codes", db_constraint=False
    )
    head = models.CharField(max_length=2)  # the first letters, which tell of ten codes which hash to compare
    code_hash = models.CharField(max_length=128)
    created_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(null=True)

    objects = PrimaryManager.from_queryset(RecoveryCodeQuerySet)()

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("user", "head"), name="accounts_recovery_code_unique"),)

    def __str__(self) -> str:
        return f"{self.head}-…"


class TrustedBrowserQuerySet(models.QuerySet["TrustedBrowser"]):
    def trusted_by(self, user: "User") -> "TrustedBrowserQuerySet":
        """Return those that `user` still trusts: a change of the password ends that."""
        return self.filter(user=user, password_version=user.password_version, expires_at__gt=timezone.now())

    def expired(self) -> "TrustedBrowserQuerySet":
        return self.filter(expires_at__lte=timezone.now())


class TrustedBrowser(models.Model):
    """Store a browser that its user wants to be asked for no second factor in."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    key = models.CharField(max_length=64, unique=True)  # the digest of what its cookie holds
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="trusted_browsers",
        verbose_name=_("user"),
        db_constraint=False,
    )
    password_version = models.CharField(max_length=40)
    user_agent = models.CharField(_("browser"), max_length=300, blank=True)
    ip_address = models.GenericIPAddressField(_("IP address"), null=True)
    created_at = models.DateTimeField(_("added"), default=timezone.now)
    last_used_at = models.DateTimeField(_("last used"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires"))

    objects = PrimaryManager.from_queryset(TrustedBrowserQuerySet)()

    class Meta:
        verbose_name = _("trusted browser")
        verbose_name_plural = _("trusted browsers")
        ordering = ("-last_used_at", "pk")
        default_permissions = ("view",)

    def __str__(self) -> str:
        return str(self.device)

    @property
    def device(self) -> Device:
        return describe(self.user_agent)


class AttemptQuerySet(models.QuerySet["Attempt"]):
    def open(self) -> "AttemptQuerySet":
        """Return those that a second factor can still complete."""
        since = timezone.now() - ATTEMPT_LIFETIME
        return self.filter(spent_at=None, created_at__gt=since, tries__lt=ATTEMPT_TRIES)

    def use_try(self) -> bool:
        """Count a try before anything is compared; return whether there was one left."""
        return bool(self.open().update(tries=F("tries") + 1))

    def spend(self) -> bool:
        """Use the attempt up, by its last try too; return whether it was open."""
        since = timezone.now() - ATTEMPT_LIFETIME
        return bool(self.filter(spent_at=None, created_at__gt=since).update(spent_at=timezone.now()))

    def prune(self) -> None:
        """Delete some of those that are over."""
        prune(self.filter(created_at__lt=timezone.now() - 2 * ATTEMPT_LIFETIME).order_by("created_at"))


class Attempt(models.Model):
    """Store a sign-in that waits for a second factor; until then nobody is signed in."""

    key = models.CharField(primary_key=True, max_length=64)  # the digest of what its cookie holds
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_constraint=False)
    user_id: object
    password_version = models.CharField(max_length=40)
    method = models.CharField(max_length=16)
    amr = models.CharField(max_length=64, blank=True)
    backend = models.CharField(max_length=200, blank=True)
    remember = models.BooleanField(null=True)
    is_app = models.BooleanField(default=False)
    next = models.TextField(blank=True)
    carried_form = models.TextField(blank=True)  # encrypted: accounts/security/carried_forms.py
    tries = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    spent_at = models.DateTimeField(null=True)

    objects = PrimaryManager.from_queryset(AttemptQuerySet)()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.key[:8]

    @property
    def tries_left(self) -> int:
        return max(ATTEMPT_TRIES - self.tries, 0)

    def still_of(self, user: "User") -> bool:
        """Return whether `user` may still complete it: nothing has changed since their password was checked."""
        return user.is_active and user.password_version == self.password_version


class FactorRemovalQuerySet(models.QuerySet["FactorRemoval"]):
    def started(self) -> "FactorRemovalQuerySet":
        return self.filter(due_at__isnull=False)

    def by_session(self) -> "FactorRemovalQuerySet":
        """Return those that a session can cancel, and what is done in one."""
        return self.filter(only_mail_cancels=False)

    def due(self) -> "FactorRemovalQuerySet":
        """Return those in whose time nobody has objected."""
        return self.filter(due_at__lte=timezone.now())

    def to_remind(self) -> "FactorRemovalQuerySet":
        """Return those that their users are to be told of again."""
        now = timezone.now()
        return self.filter(due_at__gt=now, reminded_at__lte=now - REMINDER_PAUSE)

    def unanswered(self) -> "FactorRemovalQuerySet":
        """Return those whose link was not followed in its time."""
        return self.filter(due_at=None, requested_at__lte=timezone.now() - LINK_LIFETIME)

    def restart(self) -> bool:
        """Restart the lifetime of the link when its mail is sent; return whether it can still start anything."""
        return bool(self.filter(due_at=None).update(requested_at=timezone.now()))

    def start(self, actor: "User | None", *, only_mail_cancels: bool) -> bool:
        """Start the delay; return whether it had not been started."""
        now = timezone.now()
        started = {"due_at": now + REMOVAL_DELAY, "reminded_at": now, "actor": actor}
        return bool(self.filter(due_at=None).update(only_mail_cancels=only_mail_cancels, **started))

    def remind(self) -> bool:
        """Count a reminder; return whether it was time for one."""
        return bool(self.to_remind().update(reminded_at=timezone.now()))


class FactorRemoval(models.Model):
    """Store that somebody who can't show a factor of a user wants them removed. Whoever cancels it deletes the row."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="factor_removal", db_constraint=False
    )
    user_id: object
    requested_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(null=True)  # once the link to the confirmed email was followed
    reminded_at = models.DateTimeField(null=True)
    only_mail_cancels = models.BooleanField(default=False)  # the factors, and so the sessions, may be a thief's
    actor = models.ForeignKey(  # the administrator who has started it
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_constraint=False
    )

    objects = PrimaryManager.from_queryset(FactorRemovalQuerySet)()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def is_open(self) -> bool:
        """Return whether its link can still start it."""
        return self.due_at is None and self.requested_at > timezone.now() - LINK_LIFETIME


def digest(secret: str) -> str:
    """Return what is stored in place of a random secret that a browser holds."""
    return sha256(secret.encode()).hexdigest()
