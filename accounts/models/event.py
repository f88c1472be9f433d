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

from accounts.devices import Device, describe
from tokens import client

HISTORY_KEPT = timedelta(days=180)  # long enough to look back at what came to light late


class AppendOnlyError(TypeError):
    """Somebody tried to change or delete what is only ever added to."""


class SecurityEventQuerySet(models.QuerySet["SecurityEvent"]):
    def update(self, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError("A security event is never changed.")

    def delete(self) -> NoReturn:
        raise AppendOnlyError("A security event is never deleted.")

    def withdraw(self) -> int:
        """Take back what turned out to be nothing: a late request of one's own that looked like an old copy."""
        return int(self.filter(kind=SecurityEvent.Kind.COPY_TRIED)._raw_delete(self.db))

    def of(self, user: models.Model) -> "SecurityEventQuerySet":
        """What `user` may look back at."""
        return self.filter(user_id=user.pk, at__gte=timezone.now() - HISTORY_KEPT)

    def old(self) -> "SecurityEventQuerySet":
        """What is kept no longer."""
        return self.filter(at__lt=timezone.now() - HISTORY_KEPT)

    def prune(self) -> int:
        """Delete the old ones among these; how many there were."""
        return int(self.old()._raw_delete(self.db))

    def anonymise(self) -> int:
        """Empty whose these are: their person is deleted. That something happened stays."""
        return super().update(user=None, address=None, user_agent="")

    def blur(self) -> int:
        """Empty from where these were done: whoever did them is deleted. To whom they happened stays."""
        return super().update(address=None, user_agent="")


class SecurityEventManager(models.Manager.from_queryset(SecurityEventQuerySet)):  # type: ignore[misc]
    def record(
        self,
        request: HttpRequest | None,
        user: models.Model | AnonymousUser | None,
        kind: "SecurityEvent.Kind",
        session: UUID | None = None,
        by: models.Model | AnonymousUser | None = None,
    ) -> "SecurityEvent":
        """Write down that `kind` happened to `user` (None: nobody that is known).

        `request` tells from where (None: not by a request), `session` is the id of the session
        it happened to or in, `by` the person who did it. Doing it oneself is the normal case and
        leaves `by` empty.
        """
        event: SecurityEvent = self.create(
            user_id=user.pk if user else None,
            kind=kind,
            session=session,
            by_id=by.pk if by and (not user or by.pk != user.pk) else None,
            address=client.ip_address(request) if request else None,
            user_agent=client.user_agent(request) if request else "",
        )
        return event


class SecurityEvent(models.Model):
    class Kind(models.TextChoices):
        SIGNED_UP = "signed_up", _("Account created")
        ACCOUNT_WANTED = "account_wanted", _("An account was asked for that is there already")
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
        PROOF_GIVEN = "proof_given", _("The password was asked for and given")
        PROOF_FAILED = "proof_failed", _("The password was asked for and was wrong")
        ADDRESS_CONFIRMED = "address_confirmed", _("The e-mail address was confirmed")
        ADDRESS_ASKED = "address_asked", _("A new e-mail address was asked for")
        ADDRESS_CHANGED = "address_changed", _("The e-mail address was changed")
        ADDRESS_RESTORED = "address_restored", _("The e-mail address from before was put back")
        NAME_CHANGED = "name_changed", _("The user name was changed")
        EXPORTED = "exported", _("The data were downloaded")
        DELETION_ASKED = "deletion_asked", _("The account is to be deleted")
        DELETION_WITHDRAWN = "deletion_withdrawn", _("The account is kept after all")
        PROFILE_CHANGED = "profile_changed", _("The profile was changed")
        DEACTIVATED = "deactivated", _("The account was closed")
        ACTIVATED = "activated", _("The account was opened again")
        RIGHTS_CHANGED = "rights_changed", _("What the account may do was changed")
        GROUP_CHANGED = "group_changed", _("What a group may do was changed")
        DELETED = "deleted", _("The account was deleted")
        HISTORY_EXPORTED = "history_exported", _("Security events were downloaded")

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
    kind = models.CharField(_("what"), max_length=32, choices=Kind)
    at = models.DateTimeField(_("when"), default=timezone.now, editable=False)
    address = models.GenericIPAddressField(_("address"), null=True)
    user_agent = models.CharField(_("browser"), max_length=300, blank=True)
    # Not a foreign key: the history outlives the rows of sessions, which are pruned.
    session = models.UUIDField(_("session"), null=True)
    by = models.ForeignKey(
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
        ordering = ("-at", "-pk")
        default_permissions = ("view",)
        permissions = (("export_securityevent", "Can download security events"),)
        indexes = (
            models.Index(fields=["user", "-at"], name="accounts_event_user_at"),
            models.Index(fields=["kind", "at"], name="accounts_event_kind_at"),
            models.Index(fields=["at"], name="accounts_event_at"),
            models.Index(fields=["address", "at"], name="accounts_event_address_at"),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} · {self.at:%Y-%m-%d %H:%M}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnlyError("A security event is never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError("A security event is never deleted.")

    @property
    def device(self) -> Device:
        return describe(self.user_agent)

    @property
    def by_others(self) -> str:
        """What its person reads if it was not they who did it; empty if they did, or if there are no words for it."""
        return str(_BY_OTHERS.get(self.kind, "")) if self.by_id else ""

    @property
    def alarming(self) -> bool:
        """Whether its person should look twice."""
        return self.kind in {
            self.Kind.SIGN_IN_FAILED,
            self.Kind.PROOF_FAILED,
            self.Kind.COPY_TRIED,
            self.Kind.REUSE_FOUND,
        }


_BY_OTHERS: dict[str, Any] = {
    SecurityEvent.Kind.SIGNED_UP: _("An administrator made an account for you"),
    SecurityEvent.Kind.SESSION_ENDED: _("An administrator ended one of your sessions"),
    SecurityEvent.Kind.ALL_ENDED: _("An administrator signed you out everywhere"),
    SecurityEvent.Kind.RESET_ASKED: _("An administrator sent you a link to a new password"),
    SecurityEvent.Kind.ADDRESS_CHANGED: _("An administrator changed your e-mail address"),
    SecurityEvent.Kind.NAME_CHANGED: _("An administrator changed your user name"),
    SecurityEvent.Kind.PROFILE_CHANGED: _("An administrator changed your profile"),
    SecurityEvent.Kind.RIGHTS_CHANGED: _("An administrator changed what you may do"),
    SecurityEvent.Kind.EXPORTED: _("An administrator downloaded your data"),
    SecurityEvent.Kind.DEACTIVATED: _("An administrator closed your account"),
    SecurityEvent.Kind.ACTIVATED: _("An administrator opened your account again"),
}
