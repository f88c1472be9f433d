"""Whether a sign-in is one to tell its person of."""

from datetime import timedelta

from django.db.models import Max
from django.http import HttpRequest
from django.utils import timezone

from accounts import browsers, gates
from accounts.gates import Gate, Pace
from accounts.models import SecurityEvent, User
from tokens.models import RefreshToken

Kind = SecurityEvent.Kind
Method = RefreshToken.Method

_NEW_ACCOUNT = timedelta(days=30)
_LATELY = timedelta(days=1)
_SEVERAL = 3

# Whoever signs up may have typed a stranger's address, and a program is a new one whenever it calls itself otherwise.
_MAILS = Pace(free=10, first=60 * 60, longest=60 * 60, window=24 * 60 * 60)


def is_new(request: HttpRequest, user: User, row: RefreshToken) -> bool:
    """Whether the account does not know where this sign-in came from, and is not itself as new.

    A browser shows its cookie. A program has none: it is known if it has signed in within the time for which rows are
    kept and calls itself the same.
    """
    if row.method == Method.MOVED:
        return False
    if row.method == Method.PASSWORD:
        known = browsers.knows(request, user)
    else:
        others = RefreshToken.objects.for_user(user).exclude(pk=row.pk)
        known = others.filter(method=row.method, user_agent=row.user_agent).exists()
    return not known and not _is_first(user, row)


def may_tell(user: User) -> bool:
    """Whether `user` has not been told of so many others today that one more would say nothing new. Counts this one."""
    return not gates.enter([Gate(f"sign-ins:told:{user.pk}", _MAILS)])


def failures_before(user: User) -> int:
    """How many attempts failed lately since somebody last got in; 0 unless there were several."""
    since = timezone.now() - _LATELY
    events = SecurityEvent.objects.filter(user=user, at__gte=since)
    last = events.filter(kind=Kind.SIGNED_IN).aggregate(at=Max("at"))["at"] or since
    failures = events.filter(kind=Kind.SIGN_IN_FAILED, at__gt=last).count()
    return failures if failures >= _SEVERAL else 0


def _is_first(user: User, row: RefreshToken) -> bool:
    """Who has just made an account need not be told that they use it. The history forgets, an old account does not."""
    if timezone.now() - user.date_joined > _NEW_ACCOUNT:
        return False
    return not SecurityEvent.objects.filter(user=user, kind=Kind.SIGNED_IN).exclude(session=row.pk).exists()
