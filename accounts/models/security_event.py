"""What happened to an account: written once, read for ever."""

from datetime import timedelta
from typing import Any, ClassVar, NoReturn
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.account.user_agents import Device, describe
from tokens import client

EVENT_RETENTION = timedelta(days=180)  # long enough to look back at what came to light late


class AppendOnlyError(TypeError):
    """Somebody tried to change or delete what is only ever added to."""


class SecurityEventQuerySet(models.QuerySet["SecurityEvent"]):
    def update(self, **kwargs: object) -> NoReturn:
        raise AppendOnlyError("A security event is never changed.")

    def delete(self) -> NoReturn:
        raise AppendOnlyError("A security event is never deleted.")

    def withdraw(self) -> int:
        """Take back what turned out to be nothing: a late request of one's own that looked like an old copy."""
        return int(self.filter(kind=SecurityEvent.Kind.COPY_TRIED)._raw_delete(self.db))

    def of(self, user: models.Model) -> "SecurityEventQuerySet":
        """What `user` may look back at."""
        return self.filter(user_id=user.pk, created_at__gte=timezone.now() - EVENT_RETENTION)

    def old(self) -> "SecurityEventQuerySet":
        """What is kept no longer."""
        return self.filter(created_at__lt=timezone.now() - EVENT_RETENTION)

    def prune(self) -> int:
        """Delete the old ones among these; how many there were."""
        return int(self.old()._raw_delete(self.db))

    def anonymise(self) -> int:
        """Empty whose these are: their person is deleted. That something happened stays."""
        return super().update(user=None, ip_address=None, user_agent="")

    def blur(self) -> int:
        """Empty from where these were done: whoever did them is deleted. To whom they happened stays."""
        return super().update(ip_address=None, user_agent="")


class SecurityEventManager(models.Manager.from_queryset(SecurityEventQuerySet)):  # type: ignore[misc]
    def record(
        self,
        request: HttpRequest | None,
        user: models.Model | AnonymousUser | None,
        kind: "SecurityEvent.Kind",
        session_id: UUID | None = None,
        actor: models.Model | AnonymousUser | None = None,
    ) -> "SecurityEvent":
        """Write down that `kind` happened to `user` (None: nobody that is known).

        `request` tells from where (None: not by a request), `session_id` is the id of the session
        it happened to or in, `actor` the person who did it. Doing it oneself is the normal case and
        leaves `actor` empty.
        """
        event: SecurityEvent = self.create(
            user_id=user.pk if user else None,
            kind=kind,
            session_id=session_id,
            actor_id=actor.pk if actor and (not user or actor.pk != user.pk) else None,
            ip_address=client.ip_address(request) if request else None,
            user_agent=client.user_agent(request) if request else "",
        )
        return event


class SecurityEvent(models.Model):
    class Kind(models.TextChoices):
        SIGNED_UP = "signed_up", _("Account created")
        SIGN_UP_REPEATED = "sign_up_repeated", _("An account was asked for that is there already")
        SIGNED_IN = "signed_in", _("Signed in")
        SIGN_IN_FAILED = "sign_in_failed", _("A sign-in failed")
        SIGNED_OUT = "signed_out", _("Signed out")
        SESSION_ENDED = "session_ended", _("A session was ended")
        OTHERS_ENDED = "others_ended", _("All other sessions were ended")
        ALL_ENDED = "all_ended", _("All sessions were ended")
        COPY_TRIED = "copy_tried", _("An old copy of a sign-in was tried")
        REUSE_FOUND = "reuse_found", _("A copy of a sign-in was used")
        PASSWORD_CHANGED = "password_changed", _("The password was changed")
        RESET_ASKED = "reset_asked", _("A new password was asked for")
        PASSWORD_RESET = "password_reset", _("A new password was set by mail")
        REAUTHENTICATED = "reauthenticated", _("The password was asked for and given")
        REAUTHENTICATION_FAILED = "reauthentication_failed", _("The password was asked for and was wrong")
        EMAIL_CONFIRMED = "email_confirmed", _("The e-mail address was confirmed")
        EMAIL_CHANGE_ASKED = "email_change_asked", _("A new e-mail address was asked for")
        EMAIL_CHANGED = "email_changed", _("The e-mail address was changed")
        EMAIL_RESTORED = "email_restored", _("The e-mail address from before was put back")
        USERNAME_CHANGED = "username_changed", _("The user name was changed")
        EXPORTED = "exported", _("The data were downloaded")
        DELETION_ASKED = "deletion_asked", _("The account is to be deleted")
        DELETION_WITHDRAWN = "deletion_withdrawn", _("The account is kept after all")
        PROFILE_CHANGED = "profile_changed", _("The profile was changed")
        DEACTIVATED = "deactivated", _("The account was closed")
        ACTIVATED = "activated", _("The account was opened again")
        RIGHTS_CHANGED = "rights_changed", _("What the account may do was changed")
        GROUP_CHANGED = "group_changed", _("What a group may do was changed")
        DELETED = "deleted", _("The account was deleted")
        EVENTS_EXPORTED = "events_exported", _("Security events were downloaded")

    # No constraint: an event that is written while its person is being deleted must fail neither of the two.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("person"),
        null=True,
        on_delete=models.SET_NULL,
        db_constraint=False,
        related_name="security_events",
        db_index=False,  # the index below begins with it
    )
    kind = models.CharField(_("what"), max_length=32)  # no choices: a new kind is no migration
    created_at = models.DateTimeField(_("when"), default=timezone.now, editable=False)
    ip_address = models.GenericIPAddressField(_("address"), null=True)
    user_agent = models.CharField(_("browser"), max_length=300, blank=True)
    # Not a foreign key: the history outlives the rows of sessions, which are pruned.
    session_id = models.UUIDField(_("session"), null=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("done by"),
        null=True,
        on_delete=models.SET_NULL,
        db_constraint=False,
        related_name="+",
    )

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
        """Return the kind in words, or as it stands in the row where this version has none for it."""
        return str(self.Kind(self.kind).label) if self.kind in self.Kind.values else self.kind

    @property
    def device(self) -> Device:
        return describe(self.user_agent)

    @property
    def label_by_admin(self) -> str:
        """What its person reads if it was not they who did it; empty if they did, or if there are no words for it."""
        return str(_LABELS_BY_ADMIN.get(self.kind, "")) if self.actor_id else ""

    @property
    def alarming(self) -> bool:
        """Whether its person should look twice."""
        return self.kind in {
            self.Kind.SIGN_IN_FAILED,
            self.Kind.REAUTHENTICATION_FAILED,
            self.Kind.COPY_TRIED,
            self.Kind.REUSE_FOUND,
        }


_LABELS_BY_ADMIN: dict[str, object] = {
    SecurityEvent.Kind.SIGNED_UP: _("An administrator made an account for you"),
    SecurityEvent.Kind.SESSION_ENDED: _("An administrator ended one of your sessions"),
    SecurityEvent.Kind.ALL_ENDED: _("An administrator signed you out everywhere"),
    SecurityEvent.Kind.RESET_ASKED: _("An administrator sent you a link to a new password"),
    SecurityEvent.Kind.EMAIL_CHANGED: _("An administrator changed your e-mail address"),
    SecurityEvent.Kind.USERNAME_CHANGED: _("An administrator changed your user name"),
    SecurityEvent.Kind.PROFILE_CHANGED: _("An administrator changed your profile"),
    SecurityEvent.Kind.RIGHTS_CHANGED: _("An administrator changed what you may do"),
    SecurityEvent.Kind.EXPORTED: _("An administrator downloaded your data"),
    SecurityEvent.Kind.DEACTIVATED: _("An administrator closed your account"),
    SecurityEvent.Kind.ACTIVATED: _("An administrator opened your account again"),
}
