"""One row for each session, a *family* of refresh tokens in the words of RFC 9700 §4.14."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable
from copy import copy
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, models, router, transaction
from django.db.models import F, Q
from django.db.models.functions import Cast, Now
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext_lazy as _

from . import client, users
from .conf import conf
from .core import rotation
from .core.exceptions import RevokedToken
from .revocation import OVERLAP, OldSessions, get_revocation_list, mark_dead
from .signals import rows_revoked

TOUCHED_EVERY = timedelta(hours=1)  # one write an hour is precise enough for "last used", and cheap
KEPT_AFTER_END = timedelta(days=7)  # after that no token of a row can be good, and nobody asks for it any more
PRUNED_AT_ONCE = 100
PRUNED_WITHIN = timedelta(days=2)
MAX_PROBES = 20  # a browser gives up on so many redirects, too
STATUS_CANDIDATES = 32  # in a list that is half full, one sign-in in four thousand million goes without an index

logger = logging.getLogger("tokens")


class RefreshTokenQuerySet(models.QuerySet["RefreshToken"]):
    def on_primary(self) -> RefreshTokenQuerySet:
        """Return these rows in the database that is written: replicas lag, so nothing is decided by what they say."""
        return self.using(router.db_for_write(self.model))

    def live(self) -> RefreshTokenQuerySet:
        return self.filter(revoked_at=None, expires_at__gt=timezone.now())

    def ended(self) -> RefreshTokenQuerySet:
        return self.exclude(revoked_at=None, expires_at__gt=timezone.now())

    def for_user(self, user: AbstractBaseUser) -> RefreshTokenQuerySet:
        return self.filter(user_id=user.pk)

    def revoke(self, reason: str) -> int:
        """End the live rows among these for ever, in one statement. Return how many were ended."""
        if conf.adopt_sessions and reason in DISTRUSTING:
            OldSessions.objects.end(*self.live().exclude(user=None).values_list("user_id", flat=True).distinct())
        ended = self.live()._change(revoked_at=Now(), reason=reason)
        if ended:
            rows_revoked.send_robust(RefreshToken, reason=str(reason), count=ended)
        return ended

    def carry_over(self, old: str, user: AbstractBaseUser) -> int:
        """Keep the sessions that knew `user` by the password hash `old`: it is the same password, hashed anew."""
        before = copy(user)
        before.password = old
        OldSessions.objects.carry_over(user.pk, users.auth_hash(before), users.auth_hash(user))
        return self.live().filter(auth_hash__in=list(users.auth_hashes(before))).update(auth_hash=users.auth_hash(user))

    def bump(self) -> int:
        """Have the access tokens of these live rows issued again from the row, without ending a session."""
        return self.live()._change(version=F("version") + 1)

    def changed_within(self, seconds: float) -> Iterable[tuple[object, str]]:
        """Return id and time of each row whose access tokens cannot be trusted unseen, for the revocation list.

        The time is a text that differs for each change: parsing a datetime would take four times as long as all else.
        """
        since = Now() - timedelta(seconds=seconds)
        changed = self.on_primary().filter(changed_at__gt=since)
        return changed.values_list("pk", Cast("changed_at", models.CharField()))

    def prune(self, limit: int = PRUNED_AT_ONCE) -> int:
        """Delete at most `limit` rows that ended long ago. Return how many were deleted.

        The batch is small so that no lock is held long. Nothing older than PRUNED_WITHIN is looked at; that is left to
        `cleartokens`: until a vacuum the index has entries of deleted rows, and after a large deletion each sign-in
        would walk past millions of them.
        """
        end = timezone.now() - KEPT_AFTER_END
        rows = self.on_primary()
        old = rows.filter(expires_at__lt=end, expires_at__gt=end - PRUNED_WITHIN).order_by("expires_at")
        return rows.filter(pk__in=list(old.values_list("pk", flat=True)[:limit])).delete()[0]

    def _change(self, **values: object) -> int:
        """Change these rows and tell everybody who holds access tokens of theirs to be out of date.

        Other processes read `changed_at`, by the database's clock. This one, or the cache that all share, is told the
        ids before the change, or the change fails; and again after the commit, as an entry's time counts from then.
        """
        using = router.db_for_write(self.model)
        with transaction.atomic(using=using):
            # One order for all, or two of these could deadlock.
            rows = self.using(using).select_for_update(of=("self",)).order_by("pk")
            ids = list(rows.values_list("pk", flat=True))
            get_revocation_list().mark(ids)
            changed = self.using(using).update(changed_at=Now(), **values) if ids else 0
            transaction.on_commit(partial(self._committed, ids, using, monotonic()), using=using, robust=True)
        return changed

    def _committed(self, ids: Iterable[object], using: str, changed_at: float) -> None:
        get_revocation_list().mark(ids)
        if monotonic() - changed_at > OVERLAP / 2:  # others no longer read back to the time that these rows tell
            self.model.objects.using(using).filter(pk__in=ids).update(changed_at=Now())


class RefreshTokenManager(models.Manager.from_queryset(RefreshTokenQuerySet)):  # type: ignore[misc]
    def start(self, user: AbstractBaseUser, replacing: Iterable[str] = (), **about: Any) -> RefreshToken:
        """Create and return the row of a new session of `user`.

        `about` gives remember, lifetime (seconds, if shorter than the settings say), method, backend, name, user_agent
        and ip_address, and `replacing` the ids of rows that are about to end for it. `authenticated_at=None` says that
        nobody has signed in just now.

        Under the lock that mass revocations share, which also stamps `last_login`, the user is read once more. Raises
        RevokedToken if they were deactivated, deleted or given another password since they were let in.
        """
        try:
            row = self._insert(user, replacing, _new_values(**about))
        except IntegrityError:
            # Another sign-in took the same index of the status list at this very moment. There is no third try.
            row = self._insert(user, replacing, _new_values(**about))
        if not conf.adopt_sessions:  # its rows are kept meanwhile, and this would walk past them
            self.prune()
        return row

    def get_live(self, sid: str, sub: str) -> RefreshToken:
        """Return the live row `sid` of the user `sub`, with the user, in one query. Raises RevokedToken."""
        rows = self.on_primary().select_related("user")
        row: RefreshToken | None = rows.filter(pk=sid, user=users.key_of(sub)).first()
        if row is None:
            mark_dead(sid)
            raise RevokedToken(sid)
        row.check_live()
        return row

    def confirm(self, sid: str, refresh: rotation.Refresh) -> bool:
        """Move a live row on to `refresh`, if that is ahead of it. Return whether this call did.

        The row count decides, without locks, on every database.
        """
        behind = self.filter(pk=sid, generation__lt=refresh.generation, revoked_at=None)
        return bool(behind.update(generation=refresh.generation, jti=refresh.jti))

    def withdraw_probe(self, sid: str, jti: str) -> bool:
        """Forget the probe of a token that turned out to be late. Return whether there was one to forget."""
        return bool(self.filter(pk=sid, probed_jti=jti).update(probed_jti=None, probe_count=0))

    def revoke_for(self, people: Iterable[AbstractBaseUser], reason: str = "admin", keeping: UUID | None = None) -> int:
        """End every session of these users but `keeping`, one user at a time in the order of their keys.

        Return how many ended. Sessions that were not taken over yet are ended, but not counted.
        """
        return sum(self._revoke_all(key, reason, keeping) for key in sorted(user.pk for user in people))

    def bump_for(self, people: Iterable[AbstractBaseUser]) -> int:
        """Have the access tokens of these users issued again, since they were changed by `QuerySet.update()` or SQL.

        Return how many sessions that concerns.
        """
        return sum(self.filter(user_id=key).bump() for key in sorted(user.pk for user in people))

    def revoke_reused(self, row: RefreshToken) -> int:
        """End what a stolen token of `row` puts in danger (TOKENS_REUSE_REVOKES). Return how many sessions ended.

        However many requests see the token, one of them gets a number; the others get 0.
        """
        with transaction.atomic(using=router.db_for_write(self.model)):
            users.lock_for_update(row.user_id)
            if not self.on_primary().filter(pk=row.pk).live().exists():
                return 0
            rows = self.filter(user_id=row.user_id) if conf.reuse_revokes == "all" else self.filter(pk=row.pk)
            ended: int = rows.revoke(RefreshToken.Reason.REUSED)
        return ended

    def _insert(self, user: AbstractBaseUser, replacing: Iterable[str], values: dict[str, object]) -> RefreshToken:
        login = values["authenticated_at"]
        with transaction.atomic(using=router.db_for_write(self.model)):
            current = users.lock_for_update(user.pk, **({"last_login": login} if login else {}))
            if (
                current is None
                or current.password != user.password
                or not users.admitted(current, str(values["backend"]))
            ):
                raise RevokedToken("", RefreshToken.Reason.DEACTIVATED)
            self._evict(self.for_user(current).exclude(pk__in=replacing))
            index = self._free_status_index() if conf.status_list else None
            row: RefreshToken = self.create(
                user=current, auth_hash=users.auth_hash(current), status_index=index, **values
            )
        return row

    def _revoke_all(self, key: object, reason: str, keeping: UUID | None) -> int:
        with transaction.atomic(using=router.db_for_write(self.model)):
            users.lock_for_update(key)
            OldSessions.objects.end(key)
            ended: int = self.filter(user_id=key).exclude(pk=keeping).revoke(reason)
        return ended

    def _free_status_index(self) -> int | None:
        """Return a free index of the status list; None if it is too full to find one among STATUS_CANDIDATES.

        The index is random, so that neighbours learn nothing of the number and the order of sign-ins.
        """
        candidates = [secrets.randbelow(conf.status_list) for _ in range(STATUS_CANDIDATES)]
        rows = self.on_primary().filter(status_index__in=candidates)
        taken = set(rows.values_list("status_index", flat=True))
        free = next((index for index in candidates if index not in taken), None)
        if free is None:
            logger.warning("The status list is too full for a new session: raise TOKENS_STATUS_LIST.")
        return free

    def _evict(self, sessions: RefreshTokenQuerySet) -> None:
        longest_idle = sessions.on_primary().live().order_by("-last_used_at")[conf.max_sessions - 1 :]
        if ids := list(longest_idle.values_list("pk", flat=True)):
            self.filter(pk__in=ids).revoke(RefreshToken.Reason.EVICTED)


class RefreshToken(models.Model):
    """A session. It keeps the generation and the id of the one refresh token that is confirmed.

    No token is stored, and no hash of one: a leaked table signs nobody in.
    """

    class Method(models.TextChoices):
        """How a session was opened."""

        PASSWORD = "password", _("with your password")
        API = "api", _("by a program, with your password")
        MOVED = "moved", _("by moving over an earlier sign-in")
        OTHER = "other", _("in another way")

    class Reason(models.TextChoices):
        """Why a session has ended."""

        SIGNED_OUT = "signed_out", _("signed out")
        ENDED = "ended", _("ended from the list of sessions")
        REPLACED = "replaced", _("signed in again in the same browser")
        REUSED = "reused", _("a copy of a sign-in was used")
        PASSWORD = "password", _("the password was changed")
        DEACTIVATED = "deactivated", _("the account was closed")
        DELETED = "deleted", _("the account was deleted")
        EVICTED = "evicted", _("too many sessions")
        ADMIN = "admin", _("ended by an administrator")
        EXPIRED = "expired", _("not used for too long")  # never stored: the row's dates and its tokens say so

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
    remember = models.BooleanField(_("kept"), default=False)
    method = models.CharField(_("opened"), max_length=16, default=Method.OTHER)
    backend = models.CharField(_("authentication backend"), max_length=200, blank=True)
    name = models.CharField(_("name"), max_length=60, blank=True)
    user_agent = models.CharField(_("browser"), max_length=300, blank=True)
    browser = models.CharField(max_length=16, blank=True)  # a key of client.BROWSERS, for filters
    is_app = models.BooleanField(default=False)  # a program holds the tokens, in headers; else a browser, in cookies
    ip_address = models.GenericIPAddressField(_("address"), null=True, blank=True)
    created_at = models.DateTimeField(_("signed in"))
    last_used_at = models.DateTimeField(_("last seen"))
    authenticated_at = models.DateTimeField(_("owner shown"), null=True, blank=True)
    expires_at = models.DateTimeField(_("ends"))
    changed_at = models.DateTimeField(_("changed"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("ended"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=16, blank=True)
    status_index = models.PositiveIntegerField(_("place in the status list"), null=True, blank=True, unique=True)

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
    def is_live(self) -> bool:
        return self.revoked_at is None and self.expires_at > timezone.now()

    @property
    def live_user(self) -> AbstractBaseUser:
        """Return the user of a live row, which always has one."""
        assert self.user is not None  # noqa: S101  (check_live() has raised)
        return self.user

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
            mark_dead(str(self.pk))
            raise RevokedToken(str(self.pk), self.reason)
        if not self.is_live:
            raise RevokedToken(str(self.pk), self.Reason.EXPIRED)
        if reason := self._outdated():
            self.revoke(reason)
            raise RevokedToken(str(self.pk), reason)

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

    def mark_authenticated(self) -> None:
        """Stamp that the user has just shown who they are. A silent refresh leaves the stamp alone."""
        self.authenticated_at = timezone.now()
        self.save(update_fields=["authenticated_at"])

    def _outdated(self) -> str | None:
        """Return why a change of the user has ended this session; None if it has not."""
        if self.user is None or not users.known(self.user, self.backend):
            return self.Reason.DEACTIVATED
        for position, good in enumerate(users.auth_hashes(self.user)):
            if constant_time_compare(self.auth_hash, good):
                if position:  # made with a fallback key: rewritten, so that the key can be retired
                    RefreshToken.objects.filter(pk=self.pk).update(auth_hash=users.auth_hash(self.user))
                return None
        return self.Reason.PASSWORD


Reason = RefreshToken.Reason
# Whoever ends a session for one of these reasons may mean one that is still to be taken over: it is on no list.
DISTRUSTING = {Reason.ENDED, Reason.ADMIN, Reason.REUSED, Reason.DEACTIVATED}


def expiry(start: datetime, remember: bool, lifetime: float | None) -> datetime:
    """Return the absolute end of a session: by the settings, or after `lifetime` (seconds) if that is shorter."""
    longest = conf.absolute_lifetime if remember else conf.browser_lifetime
    return start + timedelta(seconds=longest if lifetime is None else min(longest, lifetime))


def _new_values(
    remember: bool = False, lifetime: float | None = None, user_agent: str = "", backend: str = "", **about: Any
) -> dict[str, object]:
    now = timezone.now()
    return {
        "remember": remember,
        "backend": backend,
        "user_agent": user_agent,
        "browser": client.browser_of(user_agent),
        "jti": rotation.new_jti(now.timestamp()),
        "created_at": now,
        "last_used_at": now,
        "authenticated_at": now,
        "expires_at": expiry(now, remember, lifetime),
        **about,
    }
