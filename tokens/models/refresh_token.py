"""One row for each session, a *family* of refresh tokens in the words of RFC 9700 §4.14."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeAlias
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from ..conf import conf
from ..core import rotation
from ..core.exceptions import RevokedToken
from ..revocation import add_dead
from . import admission, choices
from .querysets import TOUCHED_EVERY, RefreshTokenManager

MAX_PROBES = 20  # a browser gives up on so many redirects, too


class RefreshToken(models.Model):
    """A session. It keeps the generation and the id of the one refresh token that is confirmed.

    No token is stored, and no hash of one: a leaked table signs nobody in.
    """

    Method: TypeAlias = choices.Method
    Reason: TypeAlias = choices.Reason

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="refresh_tokens", verbose_name=_("user")
    )
    generation = models.PositiveIntegerField(_("generation"), default=1)
    jti = models.UUIDField(_("confirmed refresh token"))
    version = models.PositiveIntegerField(_("version"), default=0)
    auth_hash = models.CharField(max_length=64)
    probed_jti = models.UUIDField(_("stale token probed"), null=True, blank=True)
    probe_count = models.PositiveSmallIntegerField(_("probes"), default=0)
    remember = models.BooleanField(_("keep signed in"), default=False)
    method = models.CharField(_("method"), max_length=16, default=Method.OTHER)
    amr = models.CharField(_("methods of authentication"), max_length=64, blank=True, default="", db_default="")
    acr = models.CharField(_("class of authentication"), max_length=32, blank=True, default="", db_default="")
    backend = models.CharField(_("authentication backend"), max_length=200, blank=True)
    name = models.CharField(_("name"), max_length=60, blank=True)
    user_agent = models.CharField(_("browser"), max_length=300, blank=True)
    browser = models.CharField(max_length=16, blank=True)  # a key of client.BROWSERS, for filters
    is_app = models.BooleanField(default=False)  # a program holds the tokens, in headers; else a browser, in cookies
    ip_address = models.GenericIPAddressField(_("IP address"), null=True, blank=True)
    created_at = models.DateTimeField(_("signed in"))
    last_used_at = models.DateTimeField(_("last active"))
    authenticated_at = models.DateTimeField(_("identity confirmed"), null=True, blank=True)
    expires_at = models.DateTimeField(_("expires"))
    changed_at = models.DateTimeField(_("changed"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("ended"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=16, blank=True)
    status_index = models.PositiveIntegerField(_("status list index"), null=True, blank=True, unique=True)

    # The public key of the device (a JWK), which its browser has registered. It counts once it is proven again.
    bound_key = models.CharField(max_length=1024, blank=True, default="", db_default="", editable=False)
    bound_at = models.DateTimeField(_("bound to its device"), null=True, blank=True)
    bound_proved_at = models.DateTimeField(_("device last verified"), null=True, blank=True)

    objects = RefreshTokenManager()

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")
        default_permissions = ("view",)
        permissions = (("end_refreshtoken", "Can end sessions"),)
        indexes = (
            models.Index(fields=["expires_at"], name="tokens_expires_at"),
            models.Index(fields=["changed_at"], name="tokens_changed_at", condition=Q(changed_at__isnull=False)),
            # For the admin, on columns that no refresh changes: an update of the others touches no index.
            models.Index(fields=["created_at"], name="tokens_created_at"),
            models.Index(fields=["ip_address", "created_at"], name="tokens_ip_address_created_at"),
            models.Index(fields=["reason", "created_at"], name="tokens_reason_created_at", condition=Q(reason__gt="")),
            models.Index(fields=["browser", "created_at"], name="tokens_browser_created_at"),
            models.Index(
                fields=["method", "created_at"], name="tokens_method_created_at", condition=~Q(method="password")
            ),
        )

    def __str__(self) -> str:
        return str(self.id)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save a new row, or named fields: a stale instance that is saved whole would revive an ended row."""
        if not self._state.adding and kwargs.get("update_fields") is None:
            raise TypeError("Name the fields of a session to save: save(update_fields=[...]).")
        super().save(*args, **kwargs)

    @property
    def confirmed(self) -> rotation.Refresh:
        """Return the refresh token that this row has confirmed."""
        return rotation.Refresh(self.generation, str(self.jti))

    @property
    def published_index(self) -> int | None:
        """Return the row's index in the status list as that is today: it may have been turned off, or have shrunk."""
        return self.status_index if self.status_index is not None and self.status_index < conf.status_list else None

    @property
    def all_ended_at(self) -> datetime | None:
        """Return the last end of all, which the default manager reads with each row; None if another manager read it.

        Setting it ends this instance if the row began before. The row itself is never written.
        """
        return self.__dict__.get("all_ended_at")

    @all_ended_at.setter
    def all_ended_at(self, moment: datetime) -> None:
        self.__dict__["all_ended_at"] = moment
        if self.revoked_at is None and self.created_at <= moment:
            self.revoked_at, self.reason = moment, self.Reason.ADMIN

    @property
    def is_live(self) -> bool:
        """Return whether the session has neither ended nor expired, without looking at its user."""
        return self.revoked_at is None and self.expires_at > timezone.now()

    @cached_property
    def found_user(self) -> AbstractBaseUser | None:
        """Return the user of this row as Django would find them: `user`, or more than its row holds. None: nobody."""
        return admission.found(self.user, self.backend) if self.user else None

    @property
    def live_user(self) -> AbstractBaseUser:
        """Return the user of a live row, which always has one."""
        user = self.found_user or self.user
        assert user is not None  # noqa: S101  (check_live() has raised)
        return user

    def get_reason_display(self) -> str:
        """Return the reason in words. The column has no `choices`, so a new reason needs no migration."""
        return str(dict(self.Reason.choices).get(self.reason, self.reason))

    def get_method_display(self) -> str:
        """Return in words how the session was opened; see `get_reason_display`."""
        return str(dict(self.Method.choices).get(self.method, self.method))

    def check_live(self) -> None:
        """Raise RevokedToken unless the session is live and its user still the one who signed in.

        However the user was changed: a row that is found dead is revoked at that reading.
        """
        if self.revoked_at is not None:
            add_dead(str(self.pk))
            raise RevokedToken(str(self.pk), self.reason)
        if not self.is_live:
            raise RevokedToken(str(self.pk), self.Reason.EXPIRED)
        if reason := self._outdated():
            self.revoke(reason)
            raise RevokedToken(str(self.pk), reason)
        if self.found_user is None:
            add_dead(str(self.pk))
            if not admission.may_lag(self.backend):
                self.revoke(self.Reason.DEACTIVATED)
            raise RevokedToken(str(self.pk), self.Reason.DEACTIVATED)

    def revoke(self, reason: str) -> bool:
        """End this session. Return whether it was this call that did."""
        return bool(RefreshToken.objects.filter(pk=self.pk).revoke(reason))

    def note_stale(self, jti: str) -> bool:
        """Note the stale token `jti`. Return whether it is the first time since something newer answered a probe."""
        others = RefreshToken.objects.filter(pk=self.pk, revoked_at=None).exclude(probed_jti=jti)
        return bool(others.update(probed_jti=jti, probe_count=0))

    def count_probe(self) -> None:
        """Count a probe of the stale token that was noted last."""
        RefreshToken.objects.filter(pk=self.pk, revoked_at=None).update(probe_count=F("probe_count") + 1)

    def probe_limit_reached(self, jti: str) -> bool:
        """Return whether `jti` was probed so often that its bearer cannot be one that keeps cookies."""
        return str(self.probed_jti) == jti and self.probe_count >= MAX_PROBES

    def touch(self) -> None:
        """Stamp that the session is in use, at most once in TOUCHED_EVERY."""
        now = timezone.now()
        if now - self.last_used_at >= TOUCHED_EVERY:
            RefreshToken.objects.filter(pk=self.pk).update(last_used_at=now)

    def mark_authenticated(self, amr: Iterable[str] = (), acr: str = "") -> None:
        """Stamp that the user has just shown who they are, and how. A silent refresh leaves the stamp alone."""
        self.authenticated_at = timezone.now()
        self.amr, self.acr = " ".join(dict.fromkeys((*self.amr.split(), *amr))), acr or self.acr
        self.save(update_fields=["authenticated_at", "amr", "acr"])

    def _outdated(self) -> str | None:
        """Return why a change of the user has ended this session; None if it has not."""
        if self.user is None or not admission.can_authenticate(self.user, self.backend):
            return self.Reason.DEACTIVATED
        for position, good in enumerate(admission.auth_hashes(self.user)):
            if constant_time_compare(self.auth_hash, good):
                if position:  # made with a fallback key: rewritten, so that the key can be retired
                    RefreshToken.objects.filter(pk=self.pk).update(auth_hash=admission.auth_hash(self.user))
                return None
        return self.Reason.PASSWORD
