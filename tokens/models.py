"""One row for each sign-in, a *family* of refresh tokens in the words of RFC 9700 §4.14."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable
from copy import copy
from datetime import timedelta
from functools import cache, partial
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connections, models, router, transaction
from django.db.models import F, Q
from django.db.models.functions import Cast, Now
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext_lazy as _

from . import rotation, users
from .conf import conf
from .exceptions import RevokedToken
from .joined import Joined
from .programs import program
from .revocations import revocations
from .signals import rows_revoked

SEEN_EVERY = timedelta(hours=1)  # one write an hour is precise enough for "last seen", and cheap
KEPT_AFTER_END = timedelta(days=7)  # beyond it no token of a row can be good, and nobody asks for it any more
PRUNED_AT_ONCE = 100
PRUNED_WITHIN = timedelta(days=2)
PROBES_AT_MOST = 20  # a browser gives up on so many redirects, too
PLACES_TRIED = 16  # in a list that is half full, one sign-in in 65,536 goes without a place

CONFIRM = (
    "UPDATE tokens_refreshtoken SET generation = %s, jti = %s WHERE id = %s AND generation < %s AND revoked_at IS NULL"
)

logger = logging.getLogger("tokens")


class RefreshTokenQuerySet(models.QuerySet["RefreshToken"]):
    def live(self) -> RefreshTokenQuerySet:
        return self.filter(revoked_at=None, expires_at__gt=timezone.now())

    def ended(self) -> RefreshTokenQuerySet:
        return self.exclude(revoked_at=None, expires_at__gt=timezone.now())

    def for_user(self, user: AbstractBaseUser) -> RefreshTokenQuerySet:
        return self.filter(user_id=user.pk)

    def revoke(self, reason: str) -> int:
        """Ends the live rows among these, for ever; the number of rows ended. In one statement, however many."""
        ended = self.live()._change(revoked_at=Now(), reason=reason)
        if ended:
            rows_revoked.send_robust(RefreshToken, reason=str(reason), count=ended)
        return ended

    def carry_over(self, old: str, user: AbstractBaseUser) -> int:
        """Keep the sessions that knew `user` by the password hash `old`: it is the same password, hashed anew."""
        before = copy(user)
        before.password = old
        return self.live().filter(auth_hash__in=list(users.auth_hashes(before))).update(auth_hash=users.auth_hash(user))

    def bump(self) -> int:
        """Has the access tokens of these rows made again from the row, without ending a sign-in."""
        return self.live()._change(version=F("version") + 1)

    def _change(self, **values: Any) -> int:
        """Other processes read `changed_at`, by the database's clock; this one, or the cache that all share, is told
        the ids: before, or the change fails, and again after the commit, so that a request which read a row between
        the two looks once more on its way out."""
        with transaction.atomic(using=self.db):
            rows = self.select_for_update(of=("self",)).order_by("pk")  # in one order, or two of these could deadlock
            ids = list(rows.values_list("pk", flat=True))
            revocations().mark(ids)
            changed = self.update(changed_at=Now(), **values) if ids else 0
            transaction.on_commit(partial(revocations().mark, ids), using=self.db, robust=True)
        return changed

    def changed_within(self, seconds: float) -> Iterable[tuple[object, str]]:
        """For the revocation list: the rows whose access tokens cannot be trusted unseen, and since when, as a text
        that is another for each change: to make a datetime of it would take four times as long as all else."""
        since = Now() - timedelta(seconds=seconds)
        return self.filter(changed_at__gt=since).values_list("pk", Cast("changed_at", models.CharField()))

    def ended_places(self, seconds: float) -> Iterable[int]:
        """For the status list: the places of the rows that were revoked within that time."""
        since = Now() - timedelta(seconds=seconds)
        ended = self.filter(changed_at__gt=since, revoked_at__isnull=False, status_index__lt=conf.status_list)
        places: Iterable[Any] = ended.values_list("status_index", flat=True).iterator()
        return places

    def prune(self, limit: int = PRUNED_AT_ONCE) -> int:
        """Deletes at most `limit` rows that ended long ago; the number deleted. Small, so that no lock is held long.

        It looks back no further than PRUNED_WITHIN, and leaves the rest to `cleartokens`: until a vacuum the index has
        entries of deleted rows, and after a great clearing each sign-in would walk past millions of them."""
        end = timezone.now() - KEPT_AFTER_END
        old = self.filter(expires_at__lt=end, expires_at__gt=end - PRUNED_WITHIN).order_by("expires_at")
        return self.filter(pk__in=list(old.values_list("pk", flat=True)[:limit])).delete()[0]


class RefreshTokenManager(models.Manager.from_queryset(RefreshTokenQuerySet)):  # type: ignore[misc]
    def start(self, user: AbstractBaseUser, replacing: Iterable[str] = (), **about: Any) -> RefreshToken:
        """The row of a new sign-in of `user`; `about` gives persistent, method, name, user_agent and address, and
        `replacing` the ids of rows that are about to end for it. `proved_at=None` says that nobody has logged in.

        Under the lock that mass revocations share, which stamps `last_login` as well, it looks whether the person is
        still who was let in. Raises RevokedToken if they were deactivated, deleted or given another password.
        """
        values = _new_values(**about)
        with transaction.atomic(using=self.db):
            person = users.lock(user.pk, **({"last_login": values["proved_at"]} if values["proved_at"] else {}))
            if person is None or not person.is_active or person.password != user.password:
                raise RevokedToken("", RefreshToken.Reason.DEACTIVATED)
            self._evict(self.for_user(person).exclude(pk__in=replacing).live())
            row = self._create_placed(user=person, auth_hash=users.auth_hash(person), **values)
        self.prune()
        return row

    def read(self, sid: str, sub: str) -> RefreshToken:
        """The live row `sid` of the person `sub`, and the person, in one query. Raises RevokedToken."""
        row: RefreshToken | None = _with_user().find(self.db, sid, users.key_of(sub))
        if row is None:
            raise RevokedToken(sid)
        row.check_live()
        return row

    def confirm(self, sid: str, refresh: rotation.Refresh) -> bool:
        """Moves a live row on to `refresh`, if that is ahead of it. The row count decides, without locks.

        Written by hand, as `Joined` is written once: Django's compiler takes longer than all else here.
        """
        using = router.db_for_write(self.model)
        connection = connections[using]
        row, jti = (self.model._meta.pk.get_db_prep_value(key, connection) for key in (sid, refresh.jti))
        with transaction.mark_for_rollback_on_error(using), connection.cursor() as cursor:
            cursor.execute(CONFIRM, [refresh.generation, jti, row, refresh.generation])
            return bool(cursor.rowcount)

    def answered(self, sid: str, jti: str) -> bool:
        """Forgets the probe of a token that turned out to come late; whether there was one to forget."""
        return bool(self.filter(pk=sid, probed_jti=jti).update(probed_jti=None, probes=0))

    def revoke_for(self, people: Iterable[AbstractBaseUser], reason: str) -> int:
        """Ends every session of these users, one after the other in the order of their keys; the number ended."""
        return sum(self._revoke_all(key, reason) for key in sorted(person.pk for person in people))

    def revoke_reused(self, row: RefreshToken) -> int:
        """Ends what a stolen token of `row` puts in danger (TOKENS_REUSE_REVOKES); the number of sessions ended.
        However many requests saw the token, one of them gets a number; the others get 0."""
        with transaction.atomic(using=self.db):
            users.lock(row.user_id)
            if not self.filter(pk=row.pk).live().exists():
                return 0
            rows = self.filter(user_id=row.user_id) if conf.reuse_revokes == "all" else self.filter(pk=row.pk)
            ended: int = rows.revoke(RefreshToken.Reason.REUSED)
        return ended

    def _revoke_all(self, key: Any, reason: str) -> int:
        with transaction.atomic(using=self.db):
            users.lock(key)
            ended: int = self.filter(user_id=key).revoke(reason)
        return ended

    def _create_placed(self, **values: Any) -> RefreshToken:
        """A row with a place in the status list, if that is kept. At random, so that neighbours learn nothing of the
        number and the order of sign-ins. A place that is taken, even this moment, inserts no row and is no error."""
        for _try in range(PLACES_TRIED if conf.status_list else 0):
            row: RefreshToken = self.model(**values, status_index=secrets.randbelow(conf.status_list))
            self.bulk_create([row], ignore_conflicts=True)
            if self.filter(pk=row.pk).exists():
                return row
        if conf.status_list:
            logger.warning("The status list is too full for a sign-in: TOKENS_STATUS_LIST has to grow.")
        row = self.create(**values)
        return row

    def _evict(self, sessions: RefreshTokenQuerySet) -> None:
        longest_idle = sessions.order_by("-seen_at")[conf.max_sessions - 1 :]
        if ids := list(longest_idle.values_list("pk", flat=True)):
            self.filter(pk__in=ids).revoke(RefreshToken.Reason.EVICTED)


class RefreshToken(models.Model):
    """A sign-in. It keeps the generation and the id of the one refresh token that is confirmed; no token, and no
    hash of one: a leaked table signs nobody in."""

    class Method(models.TextChoices):
        """How a sign-in was opened."""

        PASSWORD = "password", _("with your password")
        API = "api", _("by a program, with your password")
        MOVED = "moved", _("by moving over an earlier sign-in")
        OTHER = "other", _("in another way")

    class Reason(models.TextChoices):
        """Why a sign-in is over."""

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
    probes = models.PositiveSmallIntegerField(_("probes"), default=0)
    persistent = models.BooleanField(_("kept"), default=False)
    method = models.CharField(_("opened"), max_length=16, choices=Method, default=Method.OTHER)
    name = models.CharField(_("name"), max_length=60, blank=True)
    user_agent = models.CharField(_("browser"), max_length=300, blank=True)
    address = models.GenericIPAddressField(_("address"), null=True, blank=True)
    started_at = models.DateTimeField(_("signed in"))
    seen_at = models.DateTimeField(_("last seen"))
    proved_at = models.DateTimeField(_("owner shown"), null=True, blank=True)
    expires_at = models.DateTimeField(_("ends"))
    changed_at = models.DateTimeField(_("changed"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("ended"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=16, choices=Reason, blank=True)
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
            # For the admin. Of columns that no refresh changes: those keep to their page, and no index hears of them.
            models.Index(fields=["started_at"], name="tokens_started_at"),
            models.Index(fields=["address", "started_at"], name="tokens_address_started_at"),
            models.Index(fields=["reason", "started_at"], name="tokens_reason_started_at", condition=Q(reason__gt="")),
            models.Index(program(), "started_at", name="tokens_program_started_at"),
            models.Index(
                fields=["method", "started_at"], name="tokens_method_started_at", condition=~Q(method="password")
            ),
        )

    def __str__(self) -> str:
        return str(self.id)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """A row changes by its verbs, or by named fields: a stale instance, saved whole, would revive it."""
        if not self._state.adding and kwargs.get("update_fields") is None:
            raise TypeError("Name the fields of a session that are to be saved: save(update_fields=[...]).")
        super().save(*args, **kwargs)

    @property
    def confirmed(self) -> rotation.Refresh:
        """The refresh token that this row has confirmed."""
        return rotation.Refresh(self.generation, str(self.jti))

    @property
    def place(self) -> int | None:
        """Its place in the status list as that is today: the list may have been turned off, or have shrunk."""
        return self.status_index if self.status_index is not None and self.status_index < conf.status_list else None

    @property
    def is_live(self) -> bool:
        return self.revoked_at is None and self.expires_at > timezone.now()

    def check_live(self) -> None:
        """Raises RevokedToken unless the sign-in is live and its person still who they were.

        Whoever changed them, and however: a row that is found dead is revoked at that reading.
        """
        if self.revoked_at is not None:
            raise RevokedToken(str(self.pk), self.reason)
        if not self.is_live:
            raise RevokedToken(str(self.pk), self.Reason.EXPIRED)
        if reason := self._outlived():
            self.revoke(reason)
            raise RevokedToken(str(self.pk), reason)

    def revoke(self, reason: str) -> bool:
        """Ends this sign-in; whether it was this call that did."""
        return bool(RefreshToken.objects.filter(pk=self.pk).revoke(reason))

    def probe(self, jti: str) -> bool:
        """Counts a probe of the stale token `jti`; whether it is the first since something newer answered one."""
        rows = RefreshToken.objects.filter(pk=self.pk, revoked_at=None)
        if rows.exclude(probed_jti=jti).update(probed_jti=jti, probes=1):
            return True
        rows.update(probes=F("probes") + 1)
        return False

    def probed_in_vain(self, jti: str) -> bool:
        """Whether `jti` was probed so often that its bearer cannot be one that keeps cookies."""
        return str(self.probed_jti) == jti and self.probes >= PROBES_AT_MOST

    def see(self) -> None:
        """Stamps that the sign-in is in use, at most once in SEEN_EVERY."""
        now = timezone.now()
        if now - self.seen_at >= SEEN_EVERY:
            RefreshToken.objects.filter(pk=self.pk).update(seen_at=now)

    def prove(self) -> None:
        """Stamps that the person has just shown who they are. A silent refresh leaves the stamp alone."""
        self.proved_at = timezone.now()
        self.save(update_fields=["proved_at"])

    def _outlived(self) -> str | None:
        if self.user is None or not self.user.is_active:
            return self.Reason.DEACTIVATED
        for place, good in enumerate(users.auth_hashes(self.user)):
            if constant_time_compare(self.auth_hash, good):
                if place:  # a fallback key: rewritten, so that the key can go
                    RefreshToken.objects.filter(pk=self.pk).update(auth_hash=users.auth_hash(self.user))
                return None
        return self.Reason.PASSWORD


@cache
def _with_user() -> Joined:
    return Joined(RefreshToken, "user")


def _new_values(persistent: bool = False, **about: Any) -> dict[str, Any]:
    now = timezone.now()
    lifetime = conf.absolute_lifetime if persistent else conf.browser_lifetime
    return {
        "persistent": persistent,
        "jti": rotation.new_jti(now.timestamp()),
        "started_at": now,
        "seen_at": now,
        "proved_at": now,
        "expires_at": now + timedelta(seconds=lifetime),
        **about,
    }
