"""Start, find, change and end the rows of sessions."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from copy import copy
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, models, router, transaction
from django.db.models import Case, F, Q, Subquery, Value, When
from django.db.models.functions import Cast, Coalesce, Now
from django.utils import timezone
from django.utils.functional import cached_property

from .. import client, users
from ..conf import conf
from ..core import rotation
from ..core.exceptions import RevokedToken
from ..revocation import EVERY_ROW, OVERLAP, add_dead, get_revocation_list
from ..signals import rows_revoked, session_starting
from . import admission, locks
from .choices import DISTRUSTING, Reason
from .end_of_all import EndOfAll
from .old_sessions import OldSessions
from .prepared import Parameter, Prepared
from .status_index import free_status_index

if TYPE_CHECKING:
    from .refresh_token import RefreshToken

TOUCHED_EVERY = timedelta(hours=1)  # one write an hour is precise enough for "last used", and cheap
KEPT_AFTER_END = timedelta(days=7)  # after that no token of a row can be good, and nobody asks for it any more
PRUNED_AT_ONCE = 100
PRUNED_WITHIN = timedelta(days=2)
PEOPLE_AT_ONCE = 1_000  # whose sessions end in one transaction


class RefreshTokenQuerySet(models.QuerySet["RefreshToken"]):
    """Find, end and delete the rows of sessions."""

    def on_primary(self) -> RefreshTokenQuerySet:
        """Return these rows in the database that is written: replicas lag, so nothing is decided by what they say."""
        return self.using(router.db_for_write(self.model))

    def live(self) -> RefreshTokenQuerySet:
        """Return the sessions that have neither ended nor expired, without looking at their users."""
        return self.filter(is_live())

    def ended(self) -> RefreshTokenQuerySet:
        """Return the sessions that have ended or expired."""
        return self.exclude(is_live())

    def for_user(self, user: AbstractBaseUser) -> RefreshTokenQuerySet:
        """Return the rows of `user` on the primary: users look for what they have just ended."""
        return self.on_primary().filter(user_id=user.pk)

    def revoke(self, reason: str) -> int:
        """End the live rows among these for ever, in one statement. Return how many were ended."""
        if conf.adopt_sessions and reason in DISTRUSTING:
            people = self.on_primary().live().exclude(user=None)
            OldSessions.objects.end(*people.values_list("user_id", flat=True).distinct())
        ended = self.live()._change(revoked_at=Now(), reason=reason)
        if ended:
            rows_revoked.send_robust(self.model, reason=str(reason), count=ended)
        return ended

    def carry_over(self, old: str, user: AbstractBaseUser) -> int:
        """Keep the sessions that knew `user` by the password hash `old`: it is the same password, hashed anew."""
        before = copy(user)
        before.password = old
        OldSessions.objects.carry_over(user.pk, admission.auth_hash(before), admission.auth_hash(user))
        return (
            self.live()
            .filter(auth_hash__in=list(admission.auth_hashes(before)))
            .update(auth_hash=admission.auth_hash(user))
        )

    def bump(self) -> int:
        """Have the access tokens of these live rows issued again from the row, without ending a session."""
        return self.live()._change(version=F("version") + 1)

    def changed_within(self, seconds: float) -> Iterable[tuple[object, str]]:
        """Return id and time of each row whose access tokens cannot be trusted unseen, for the revocation list.

        The time is a text that differs for each change: parsing a datetime would take four times as long as all else.
        """
        since = Now() - timedelta(seconds=seconds)
        rows = self.on_primary()
        changed = rows.filter(changed_at__gt=since).values_list("pk", Cast("changed_at", models.CharField()))
        ends = EndOfAll.objects.using(rows.db).filter(pk=EVERY_ROW, ended_at__gt=since)
        return changed.union(ends.values_list("pk", Cast("ended_at", models.CharField())), all=True)

    def _change(self, **values: object) -> int:
        """Change these rows and tell everybody who holds access tokens of theirs to be out of date.

        Other processes read `changed_at`, by the database's clock. This one, or the cache that all share, is told the
        ids before the change, or the change fails; and again after the commit, as an entry's time counts from then.
        """
        using = router.db_for_write(self.model)
        with transaction.atomic(using=using):
            ids, locked = locks.lock_in_order(self.using(using))
            get_revocation_list().add(ids)
            changed = locked.update(changed_at=Now(), **values) if ids else 0
            transaction.on_commit(partial(self._committed, ids, using, monotonic()), using=using, robust=True)
        return changed

    def _committed(self, ids: Iterable[object], using: str, changed_at: float) -> None:
        get_revocation_list().add(ids)
        if monotonic() - changed_at > OVERLAP / 2:  # others no longer read back to the time that these rows tell
            self.model.objects.using(using).filter(pk__in=ids).update(changed_at=Now())


class RefreshTokenManager(models.Manager.from_queryset(RefreshTokenQuerySet)):  # type: ignore[misc]
    def get_queryset(self) -> RefreshTokenQuerySet:
        """Return all rows, each with the time of the last end of all: they end by it without being written."""
        rows: RefreshTokenQuerySet = super().get_queryset()
        ended_at = EndOfAll.objects.filter(pk=EVERY_ROW).values("ended_at")
        never = datetime(1970, 1, 1, tzinfo=UTC if settings.USE_TZ else None)
        last = Coalesce(Subquery(ended_at), Cast(Value(never), models.DateTimeField()))  # or MariaDB compares texts
        return rows.annotate(all_ended_at=last)  # type: ignore[no-redef]  # RefreshToken says what it does with it

    def start(self, user: AbstractBaseUser, replacing: Iterable[str] = (), **about: Any) -> RefreshToken:
        """Create and return the row of a new session of `user`.

        `about` gives remember, lifetime (seconds, if shorter than the settings say), method, amr, acr, backend, name,
        user_agent and ip_address, and `replacing` the ids of rows that are about to end for it. `authenticated_at=None`
        says that nobody has signed in just now.

        Under the lock that mass revocations share, which also stamps `last_login`, the user is read once more. Raises
        RevokedToken if they were deactivated, deleted or given another password since they were let in, and SignInHeld
        if a receiver of `session_starting` does.
        """
        try:
            row = self._insert(user, replacing, _new_values(**about))
        except IntegrityError:
            # Another sign-in took the same index of the status list at this very moment. There is no third try.
            row = self._insert(user, replacing, _new_values(**about))
        if not conf.adopt_sessions:  # its rows are kept meanwhile, and this would walk past them
            self.prune()
        return row

    def prune(self) -> int:
        """Delete at most PRUNED_AT_ONCE rows that ended long ago. Return how many were deleted.

        The batch is small so that no lock is held long. Nothing older than PRUNED_WITHIN is looked at; that is left to
        `cleartokens`: until a vacuum the index has entries of deleted rows, and after a large deletion each sign-in
        would walk past millions of them.
        """
        end = timezone.now() - KEPT_AFTER_END
        using = router.db_for_write(self.model)
        ids = [key for (key,) in self._expired.select(using, start=end - PRUNED_WITHIN, end=end)]
        return self.using(using).filter(pk__in=ids).delete()[0] if ids else 0

    def get_live(self, sid: str, sub: str) -> RefreshToken:
        """Return the live row `sid` of the user `sub`, with the user, in one query. Raises RevokedToken."""
        using = router.db_for_write(self.model)
        found = self._with_user.select(using, id=sid, user=users.key_of(sub))
        if not found:
            add_dead(sid)
            raise RevokedToken(sid)
        row = self._instance(using, found[0])
        row.check_live()
        return row

    def is_live(self, sid: str) -> bool:
        """Return whether the row `sid` is live at this moment."""
        return bool(self._live_id.select(router.db_for_write(self.model), id=sid, now=timezone.now()))

    def confirm(self, sid: str, refresh: rotation.Refresh) -> bool:
        """Move a live row on to `refresh`, if that is ahead of it. Return whether this call did.

        The row count decides, without locks, on every database.
        """
        using = router.db_for_write(self.model)
        now = timezone.now()
        return bool(self._behind.update(using, id=sid, generation=refresh.generation, jti=refresh.jti, now=now))

    def bind(self, row: RefreshToken, key: str, offered_at: datetime) -> bool:
        """Have a live row keep a key, which is for ever once it is proven. Return whether this call did.

        Each offer is good for one registration. A later one replaces a key that was never proven: the browser may
        have lost it, with the response to its registration.
        """
        row.bound_key, row.bound_at = key, max(offered_at, timezone.now())
        earlier = Q(bound_at=None) | Q(bound_at__lt=offered_at)
        unbound = self.live().filter(earlier, pk=row.pk, bound_proved_at=None)
        return bool(unbound.update(bound_key=key, bound_at=row.bound_at))

    def prove(self, row: RefreshToken, moment: datetime) -> bool:
        """Stamp a proof of the row's key, whose challenge is of `moment`. Return whether it counts: each does once."""
        earlier = Q(bound_proved_at=None) | Q(bound_proved_at__lt=moment)
        proven = self.live().filter(earlier, pk=row.pk, bound_key=row.bound_key)
        row.bound_proved_at = max(moment, timezone.now())
        return bool(proven.update(bound_proved_at=row.bound_proved_at))

    def withdraw_probe(self, sid: str, jti: str) -> bool:
        """Forget the probe of a token that turned out to be late. Return whether there was one to forget."""
        return bool(self.filter(pk=sid, probed_jti=jti).update(probed_jti=None, probe_count=0))

    def bump_for(self, people: Iterable[AbstractBaseUser]) -> int:
        """Have the access tokens of these users issued again, since they were changed by `QuerySet.update()` or SQL.

        Return how many sessions that concerns.
        """
        return sum(self.filter(user_id=key).bump() for key in sorted(user.pk for user in people))

    def revoke_for(
        self, people: Iterable[AbstractBaseUser], reason: str = Reason.ADMIN, keeping: UUID | None = None
    ) -> int:
        """End every session of these users but `keeping`, in the order of their keys.

        Return how many ended. Sessions that were not taken over yet are ended, but not counted.
        """
        for user in (people := list(people)):
            users.load_before_end(user)
        keys = sorted(user.pk for user in people)
        rows, ended = self.exclude(pk=keeping), 0
        for start in range(0, len(keys), PEOPLE_AT_ONCE):
            batch = keys[start : start + PEOPLE_AT_ONCE]
            with transaction.atomic(using=router.db_for_write(self.model)):
                locks.lock_all(batch)
                OldSessions.objects.end(*batch)
                ended += rows.filter(user_id__in=batch).revoke(reason)
        return ended

    def end_all(self) -> int:
        """End every session that has begun by now, of which a sign-in may be under way. Return how many were live."""
        ended: int = self.on_primary().live().count()
        EndOfAll.objects.record()
        rows_revoked.send_robust(self.model, reason=str(Reason.ADMIN), count=ended)
        return ended

    def revoke_reused(self, row: RefreshToken) -> int:
        """End what a stolen token of `row` puts in danger (TOKENS_REUSE_REVOKES). Return how many sessions ended.

        However many requests see the token, one of them gets a number; the others get 0.
        """
        with transaction.atomic(using=router.db_for_write(self.model)):
            locks.lock_for_update(row.user_id)
            if not self.is_live(str(row.pk)):
                return 0
            rows = self.filter(user_id=row.user_id) if conf.reuse_revokes == "all" else self.filter(pk=row.pk)
            ended: int = rows.revoke(Reason.REUSED)
        return ended

    @cached_property
    def _with_user(self) -> Prepared:
        to_user = self.model._meta.get_field("user")
        names = (*users.columns(self.model), *(f"user__{name}" for name in users.columns(to_user.related_model)))
        return Prepared(
            lambda: self.filter(pk=self._parameter("id"), user=self._parameter("user")).values_list(
                *names, "all_ended_at"
            )
        )

    def _instance(self, using: str, found: tuple[Any, ...]) -> RefreshToken:
        """Return the row, with its user, of the columns that `_with_user` finds."""
        to_user, names = self.model._meta.get_field("user"), users.columns(self.model)
        row: RefreshToken = users.instance_of(self.model, using, dict(zip(names, found, strict=False)))
        theirs = zip(users.columns(to_user.related_model), found[len(names) :], strict=False)
        user = users.instance_of(to_user.related_model, using, dict(theirs))
        to_user.set_cached_value(row, user if user.pk is not None else None)
        row.all_ended_at = found[-1]
        return row

    @cached_property
    def _live_id(self) -> Prepared:
        now = Parameter("now", models.DateTimeField())
        return Prepared(lambda: self.filter(is_live(now), pk=self._parameter("id")).values_list(Value(1)))

    @cached_property
    def _behind(self) -> Prepared:
        generation, now = self._parameter("generation"), Parameter("now", models.DateTimeField())
        return Prepared(
            lambda: self.filter(is_live(now), pk=self._parameter("id"), generation__lt=generation),
            generation=generation,
            jti=self._parameter("jti"),
        )

    def _parameter(self, name: str) -> Parameter:
        return Parameter(name, self.model._meta.get_field(name))

    def _insert(self, user: AbstractBaseUser, replacing: Iterable[str], values: dict[str, object]) -> RefreshToken:
        login = values["authenticated_at"]
        with transaction.atomic(using=router.db_for_write(self.model)):
            current = locks.lock_for_update(user.pk, **({"last_login": login} if login else {}))
            if (
                current is None
                or current.password != user.password
                or not admission.can_authenticate(current, str(values["backend"]))
            ):
                raise RevokedToken("", Reason.DEACTIVATED)
            self._evict(current, bool(values.get("is_app")), {UUID(sid) for sid in replacing})
            index = free_status_index(self.on_primary(), current) if conf.status_list else None
            row: RefreshToken = self.model(
                user=current, auth_hash=admission.auth_hash(current), status_index=index, **values
            )
            session_starting.send(self.model, row=row)
            row.save(force_insert=True, using=router.db_for_write(self.model))
        return row

    def _evict(self, user: AbstractBaseUser, is_app: bool, leaving: Collection[UUID]) -> None:
        """Make room for one more session of `user`. Apps evict no browsers."""
        now = timezone.now()
        in_use_since = now - TOUCHED_EVERY - timedelta(seconds=2 * conf.access_lifetime)
        live = self._live_by_rank.select(
            router.db_for_write(self.model), user=user.pk, is_app=is_app, now=now, in_use_since=in_use_since
        )
        staying = [key for (key,) in live if key not in leaving]
        if evicted := staying[conf.max_sessions - 1 :]:
            self.filter(pk__in=evicted).revoke(Reason.EVICTED)

    @cached_property
    def _expired(self) -> Prepared:
        start, end = (Parameter(name, models.DateTimeField()) for name in ("start", "end"))
        rows = self.filter(expires_at__lt=end, expires_at__gt=start).order_by("expires_at")
        return Prepared(lambda: rows.values_list("pk")[:PRUNED_AT_ONCE])

    @cached_property
    def _live_by_rank(self) -> Prepared:
        # Whoever has the password may sign in as often as there are places, and must not evict a session in use that
        # way. So those go first that were never used beyond their first token, the oldest of them first: the owner's
        # newest sign-in stays. Of the others the longest idle goes. The stamp lags; where it cannot tell which is
        # idle, the newest goes: a thief comes after the owner.
        now, in_use_since = (Parameter(name, models.DateTimeField()) for name in ("now", "in_use_since"))
        confirmed = Case(When(generation=1, then=0), default=1)
        in_use = When(generation__gt=1, last_used_at__gt=in_use_since, then=in_use_since)
        kept_first = (confirmed.desc(), Case(in_use, default="last_used_at").desc(), "created_at")
        whose = {name: self._parameter(name) for name in ("user", "is_app")}
        return Prepared(lambda: self.filter(is_live(now), **whose).order_by(*kept_first).values_list("pk"))


def is_live(now: datetime | Parameter | None = None) -> Q:
    """Return the condition that a row has neither been revoked, nor ended with all others, nor expired by `now`."""
    return Q(revoked_at=None, expires_at__gt=now or timezone.now(), created_at__gt=F("all_ended_at"))


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
