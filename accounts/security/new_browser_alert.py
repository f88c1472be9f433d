"""Decide whether to alert a user to a sign-in from a new browser."""

from datetime import timedelta
from typing import Any

from django.db import router
from django.db.models import Max, Value
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import SecurityEvent, User
from accounts.security import known_browsers, rate_limit
from accounts.security.rate_limit import Bucket, Rate
from tokens.models import RefreshToken
from tokens.models.prepared import Parameter, Prepared

Kind = SecurityEvent.Kind
Method = RefreshToken.Method

_NEW_ACCOUNT = timedelta(days=30)
_RECENT = timedelta(days=1)
_MIN_FAILURES = 3

# A new account may have a stranger's email, and a program can seem new at will by changing its User-Agent.
_MAIL_RATE = Rate(free=10, first=60 * 60, longest=60 * 60, window=24 * 60 * 60)


def is_new_browser(request: HttpRequest, user: User, row: RefreshToken) -> bool:
    """Return whether the account does not know where this sign-in came from, unless the account itself is new.

    A browser has a cookie. A program has none, nor has what another package signs in: it is known if it has signed in
    with the same User-Agent while its rows are kept.
    """
    if row.method == Method.MOVED:
        return False
    if row.method not in (Method.API, Method.OTHER):
        known = known_browsers.is_known(request, user)
    else:
        others = RefreshToken.objects.for_user(user).exclude(pk=row.pk)
        known = others.filter(method=row.method, user_agent=row.user_agent).exists()
    return not known and not _is_first_sign_in(user, row)


def can_notify(user: User) -> bool:
    """Return whether `user` has received few enough alerts today for another one to be useful. Count this one."""
    return not rate_limit.acquire([Bucket(f"new-browser-alerts:{user.pk}", _MAIL_RATE)])


def recent_failures(user: User) -> int:
    """Return how many sign-ins failed in the last day since the last successful one; 0 unless there were several."""
    since = timezone.now() - _RECENT
    events = SecurityEvent.objects.filter(user=user, created_at__gte=since)
    last = events.filter(kind=Kind.SIGNED_IN).aggregate(created_at=Max("created_at"))["created_at"] or since
    failures = events.filter(kind=Kind.SIGN_IN_FAILED, created_at__gt=last).count()
    return failures if failures >= _MIN_FAILURES else 0


def _is_first_sign_in(user: User, row: RefreshToken) -> bool:
    """Return whether the user has only just created the account, and need not be told that it is being used.

    Events are pruned, so for an old account they say nothing.
    """
    if timezone.now() - user.date_joined > _NEW_ACCOUNT:
        return False
    return not _SIGN_INS_BUT_ONE.select(router.db_for_write(SecurityEvent), user=user.pk, session_id=row.pk)


def _sign_ins_but_one() -> Any:
    fields: dict[str, Any] = {field.name: field for field in SecurityEvent._meta.concrete_fields}
    user, session = (Parameter(name, fields[name]) for name in ("user", "session_id"))
    sign_ins = SecurityEvent.objects.filter(user=user, kind=Kind.SIGNED_IN).exclude(session_id=session)
    return sign_ins.values_list(Value(1))[:1]


_SIGN_INS_BUT_ONE = Prepared(_sign_ins_but_one)
