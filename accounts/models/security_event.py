"""Store what happened to accounts; events are only ever added."""

from datetime import datetime, timedelta
from functools import cache
from typing import Any, ClassVar, NoReturn
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models, router, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.account.user_agents import Device, describe
from accounts.models.primary import PrimaryManager
from tokens import client
from tokens.models.prepared import Parameter, Prepared

EVENT_RETENTION = timedelta(days=180)  # long enough to investigate what is noticed late
MAX_PER_HOUR = 60  # events of one kind that an account gets, whoever causes them: more would tell nothing new


class AppendOnlyError(TypeError):
    """Report an attempt to change or delete what is only ever added to."""


class SecurityEventQuerySet(models.QuerySet["SecurityEvent"]):
    """Forbid changes, but for those that retention and deletion require."""

    def update(self, **kwargs: object) -> NoReturn:
        """Raise AppendOnlyError."""
        raise AppendOnlyError("A security event is never changed.")

    def delete(self) -> NoReturn:
        """Raise AppendOnlyError."""
        raise AppendOnlyError("A security event is never deleted.")

    def withdraw(self) -> int:
        """Delete what turned out to be harmless: a late request of the user's own that looked like an old copy."""
        return int(self.filter(kind=SecurityEvent.Kind.COPY_TRIED)._raw_delete(self.db))

    def of(self, user: models.Model) -> "SecurityEventQuerySet":
        """Return the events that `user` may look back at."""
        return self.filter(user_id=user.pk, created_at__gte=timezone.now() - EVENT_RETENTION)

    def old(self) -> "SecurityEventQuerySet":
        """Return the events that are past their retention."""
        return self.filter(created_at__lt=timezone.now() - EVENT_RETENTION)

    def prune(self) -> int:
        """Delete the old ones among these, and return how many there were."""
        return int(self.old()._raw_delete(self.db))

    def anonymise(self) -> int:
        """Detach these events from their user, who is being deleted, and remove where they came from."""
        return super().update(user=None, ip_address=None, user_agent="")

    def blur(self) -> int:
        """Remove where these events came from, since their actor is being deleted; keep to whom they happened."""
        return super().update(ip_address=None, user_agent="")


class SecurityEventManager(PrimaryManager.from_queryset(SecurityEventQuerySet)):  # type: ignore[misc]
    """Create events."""

    def record(
        self,
        request: HttpRequest | None,
        user: models.Model | AnonymousUser | None,
        kind: "SecurityEvent.Kind",
        session_id: UUID | None = None,
        actor: models.Model | AnonymousUser | None = None,
        created_at: datetime | None = None,
        method: str = "",
        amr: str = "",
    ) -> "SecurityEvent | None":
        """Record that `kind` happened to `user` (None if it is not known to whom), unless that is full for this hour.

        `request` tells where it came from (None if it was no request), `session_id` is the id of the session that it
        happened to or in, `actor` the user who did it. Normally that is `user`, and `actor` stays empty. `created_at`
        is now unless given, `method` and `amr` tell how, as in the row of a session.
        """
        if actor is None and self._is_full(user, kind, session_id):
            return None
        actor_id = actor.pk if actor and (not user or actor.pk != user.pk) else None
        about = {"actor_id": actor_id, "created_at": created_at or timezone.now(), "method": method, "amr": amr}
        return self._add(request, user, kind, session_id=session_id, **about)

    def _is_full(self, user: models.Model | AnonymousUser | None, kind: str, session_id: UUID | None) -> bool:
        """Return whether `user` has MAX_PER_HOUR events of this kind already: rows that a request costs are bounded.

        Each kind counts for itself, and old copies of each session, so that nobody hides one thing behind another. What
        administrators do is never left out.
        """
        about = {"user": user.pk if user else None, "kind": kind, "since": timezone.now() - timedelta(hours=1)}
        if kind == SecurityEvent.Kind.COPY_TRIED:
            same = self.recent(**about).filter(session_id=session_id)
            return bool(same[:MAX_PER_HOUR].count() == MAX_PER_HOUR)
        first = _first_recent(about["user"] is not None, MAX_PER_HOUR)
        return len(first.select(router.db_for_write(self.model), **about)) == MAX_PER_HOUR

    def recent(self, user: Any, kind: Any, since: Any) -> SecurityEventQuerySet:
        """Return the events of one kind, of a user or of nobody, that no administrator has caused."""
        events: SecurityEventQuerySet = self.filter(user=user, kind=kind, actor=None, created_at__gt=since)
        return events

    def record_attempt(
        self, request: HttpRequest | None, user: models.Model | None, kind: "SecurityEvent.Kind"
    ) -> None:
        """Record what anybody can try at `user`; if that is nobody, keep no row, or strangers could fill the table.

        Within a transaction the row is inserted all the same and then taken back, as is one too many of an account, so
        that the time does not reveal who has one. It is logged and counted like any other.
        """
        kept = not self._is_full(user, kind, None) and user is not None
        create = getattr(transaction, "savepoint_create", None) or transaction.savepoint  # Django 6.1 renames it
        savepoint = create()
        self._add(request, user, kind)
        (transaction.savepoint_commit if kept else transaction.savepoint_rollback)(savepoint)

    def _add(
        self,
        request: HttpRequest | None,
        user: models.Model | AnonymousUser | None,
        kind: "SecurityEvent.Kind",
        **about: object,
    ) -> "SecurityEvent":
        event: SecurityEvent = self.create(
            user_id=user.pk if user else None,
            kind=kind,
            ip_address=client.ip_address(request) if request else None,
            user_agent=client.user_agent(request) if request else "",
            **about,
        )
        return event


class SecurityEvent(models.Model):
    """Store one event: what happened to an account, when, and where it came from."""

    class Kind(models.TextChoices):
        """List the kinds of events; the label is what users and the log read."""

        SIGNED_UP = "signed_up", _("Account created")
        SIGNED_IN = "signed_in", _("Signed in")
        SIGN_IN_FAILED = "sign_in_failed", _("Sign-in failed")
        SIGNED_OUT = "signed_out", _("Signed out")
        SESSION_ENDED = "session_ended", _("Signed out of a session")
        OTHERS_ENDED = "others_ended", _("Signed out everywhere else")
        ALL_ENDED = "all_ended", _("Signed out everywhere")
        COPY_TRIED = "copy_tried", _("Someone tried an old copy of a session")
        DEVICE_UNPROVEN = "device_unproven", _("A browser couldn't verify its device")
        REUSE_ANSWERED = "reuse_answered", _("You said a copy of your session was yours")
        REUSE_FOUND = "reuse_found", _("Someone used a copy of a session")
        PASSWORD_CHANGED = "password_changed", _("Password changed")
        RESET_ASKED = "reset_asked", _("Password reset requested")
        PASSWORD_RESET = "password_reset", _("Password reset by email")
        REAUTHENTICATED = "reauthenticated", _("Identity confirmed")
        REAUTHENTICATION_FAILED = "reauthentication_failed", _("Wrong password entered")
        SECOND_FACTOR_FAILED = "second_factor_failed", _("Second step failed")
        RECOVERY_CODE_USED = "recovery_code_used", _("Signed in with a recovery code")
        RECOVERY_CODES_RENEWED = "recovery_codes_renewed", _("Recovery codes created")
        AUTHENTICATOR_ADDED = "authenticator_added", _("Authenticator app added")
        AUTHENTICATOR_REMOVED = "authenticator_removed", _("Authenticator app removed")
        FACTOR_REMOVAL_ASKED = "factor_removal_asked", _("Removal of your second step requested")
        FACTOR_REMOVAL_STARTED = "factor_removal_started", _("Removal of your second step started")
        FACTOR_REMOVAL_CANCELLED = "factor_removal_cancelled", _("Removal of your second step cancelled")
        FACTORS_REMOVED = "factors_removed", _("Second step removed")
        PASSKEY_ADDED = "passkey_added", _("Passkey added")
        PASSKEY_REMOVED = "passkey_removed", _("Passkey removed")
        PASSKEY_COPIED = "passkey_copied", _("Someone may have used a copy of a passkey")
        PROVIDER_ADDED = "provider_added", _("Sign-in with another account added")
        PROVIDER_REMOVED = "provider_removed", _("Sign-in with another account removed")
        BROWSER_TRUSTED = "browser_trusted", _("Browser trusted for 30 days")
        TRUST_REMOVED = "trust_removed", _("Browser no longer trusted")
        EMAIL_CONFIRMED = "email_confirmed", _("Email address confirmed")
        EMAIL_CHANGE_ASKED = "email_change_asked", _("Email address change requested")
        EMAIL_CHANGE_WITHDRAWN = "email_change_withdrawn", _("Email address change cancelled")
        EMAIL_CHANGED = "email_changed", _("Email address changed")
        EMAIL_RESTORED = "email_restored", _("Previous email address restored")
        USERNAME_CHANGED = "username_changed", _("User name changed")
        EXPORTED = "exported", _("Data downloaded")
        DELETION_ASKED = "deletion_asked", _("Account deletion requested")
        DELETION_WITHDRAWN = "deletion_withdrawn", _("Account deletion cancelled")
        PROFILE_CHANGED = "profile_changed", _("Profile changed")
        DEACTIVATED = "deactivated", _("Account closed")
        ACTIVATED = "activated", _("Account reopened")
        RIGHTS_CHANGED = "rights_changed", _("Permissions changed")
        GROUP_CHANGED = "group_changed", _("Group permissions changed")
        DELETED = "deleted", _("Account deleted")
        EVENTS_EXPORTED = "events_exported", _("Security events downloaded")

    # Without a constraint, recording an event while its user is being deleted makes neither of the two fail.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        null=True,
        on_delete=models.SET_NULL,
        db_constraint=False,
        related_name="security_events",
        db_index=False,  # An index below begins with it.
    )
    kind = models.CharField(_("event"), max_length=32)  # Without choices a new kind needs no migration.
    created_at = models.DateTimeField(_("time"), default=timezone.now, editable=False)
    ip_address = models.GenericIPAddressField(_("IP address"), null=True)
    user_agent = models.CharField(_("browser"), max_length=300, blank=True)
    # This is no foreign key, because events outlive the rows of sessions, which are pruned.
    session_id = models.UUIDField(_("session"), null=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("done by"),
        null=True,
        on_delete=models.SET_NULL,
        db_constraint=False,
        related_name="+",
    )

    # How a session was opened, as in its row, which is pruned; or the provider that was added, removed or asked.
    method = models.CharField(_("method"), max_length=16, blank=True, default="", db_default="")
    amr = models.CharField(_("methods of authentication"), max_length=64, blank=True, default="", db_default="")

    how = ""  # in words: accounts.account.sessions.add_how

    objects: ClassVar[SecurityEventManager] = SecurityEventManager()

    class Meta:
        verbose_name = _("security event")
        verbose_name_plural = _("security events")
        ordering = ("-created_at", "-pk")
        default_permissions = ("view",)
        permissions = (("export_securityevent", "Can download security events"),)
        indexes = (
            models.Index(fields=["user", "-created_at"], name="accounts_event_user_created"),
            models.Index(fields=["kind", "created_at"], name="accounts_event_kind_created"),
            models.Index(fields=["created_at"], name="accounts_event_created"),
            models.Index(fields=["ip_address", "created_at"], name="accounts_event_ip_created"),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} · {self.created_at:%Y-%m-%d %H:%M}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnlyError("A security event is never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: object, **kwargs: object) -> NoReturn:
        raise AppendOnlyError("A security event is never deleted.")

    def get_kind_display(self) -> str:
        """Return the kind in words, or as stored if this version does not know it."""
        return str(self.Kind(self.kind).label) if self.kind in self.Kind.values else self.kind

    @property
    def device(self) -> Device:
        return describe(self.user_agent)

    @property
    def label_by_admin(self) -> str:
        """Return how to describe the event to its user if an administrator caused it, or ""."""
        return str(_LABELS_BY_ADMIN.get(self.kind, "")) if self.actor_id else ""

    @property
    def alarming(self) -> bool:
        """Return whether its user should check that it was them."""
        return self.kind in {
            self.Kind.SIGN_IN_FAILED,
            self.Kind.REAUTHENTICATION_FAILED,
            self.Kind.SECOND_FACTOR_FAILED,
            self.Kind.RECOVERY_CODE_USED,
            self.Kind.FACTOR_REMOVAL_ASKED,
            self.Kind.FACTOR_REMOVAL_STARTED,
            self.Kind.PASSKEY_COPIED,
            self.Kind.COPY_TRIED,
            self.Kind.DEVICE_UNPROVEN,
            self.Kind.REUSE_FOUND,
        }


_LABELS_BY_ADMIN: dict[str, object] = {
    SecurityEvent.Kind.SIGNED_UP: _("An administrator created an account for you"),
    SecurityEvent.Kind.SESSION_ENDED: _("An administrator signed you out of a session"),
    SecurityEvent.Kind.ALL_ENDED: _("An administrator signed you out everywhere"),
    SecurityEvent.Kind.RESET_ASKED: _("An administrator sent you a link to choose a password"),
    SecurityEvent.Kind.EMAIL_CHANGED: _("An administrator changed your email address"),
    SecurityEvent.Kind.USERNAME_CHANGED: _("An administrator changed your user name"),
    SecurityEvent.Kind.PROFILE_CHANGED: _("An administrator changed your profile"),
    SecurityEvent.Kind.RIGHTS_CHANGED: _("An administrator changed your permissions"),
    SecurityEvent.Kind.EXPORTED: _("An administrator downloaded your data"),
    SecurityEvent.Kind.FACTOR_REMOVAL_STARTED: _("An administrator started the removal of your second step"),
    SecurityEvent.Kind.DEACTIVATED: _("An administrator closed your account"),
    SecurityEvent.Kind.ACTIVATED: _("An administrator reopened your account"),
}


@cache
def _first_recent(known: bool, limit: int) -> Prepared:
    """Build once what each sign-in asks: `limit` events at most, of a user or of nobody."""
    fields: dict[str, Any] = {field.name: field for field in SecurityEvent._meta.concrete_fields}
    user, kind = (Parameter(name, fields[name]) for name in ("user", "kind"))
    since = Parameter("since", models.DateTimeField())
    return Prepared(
        lambda: SecurityEvent.objects.recent(user if known else None, kind, since).values_list(models.Value(1))[:limit]
    )
