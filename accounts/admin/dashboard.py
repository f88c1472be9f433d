"""Count sign-ins, failures and reuse in the last seven days for the front page of the admin.

Days are those of the site's time zone, the last of them today; what is counted are the security events.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import urlencode

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, IntegerField, Value
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.admin.filters import midnight
from accounts.charts import Bar, bars
from accounts.models import SecurityEvent, User

Kind = SecurityEvent.Kind

DAYS = 7


@dataclass(frozen=True)
class Source:
    """Define what a figure counts: events of one kind."""

    name: str | Promise
    meaning: str | Promise
    kind: str
    alarming: bool = False

    def url(self, **when: str) -> str:
        """Return the URL of the admin's list of these events, narrowed by lookups of their time."""
        query = {"kind__exact": self.kind} | {f"created_at__{name}": value for name, value in when.items()}
        return f"{reverse('admin:accounts_securityevent_changelist')}?{urlencode(query)}"


SOURCES = (
    Source(_("Sign-ins"), _("Someone signed in."), Kind.SIGNED_IN),
    Source(_("Failed sign-ins"), _("Someone entered a wrong user name or password."), Kind.SIGN_IN_FAILED),
    Source(
        _("Copied sessions"),
        _("Someone used a copy of a session, so we signed the user out."),
        Kind.REUSE_FOUND,
        alarming=True,
    ),
)


@dataclass(frozen=True)
class Day:
    """Hold the count of one day."""

    date: date
    count: int
    url: str

    @property
    def number(self) -> str:
        """Return the count in the format of the reader's language."""
        return number_format(self.count, force_grouping=True)


@dataclass(frozen=True)
class Figure:
    """Hold the counts of one source for each day."""

    source: Source
    days: list[Day]

    @property
    def url(self) -> str:
        """Return the URL of the admin's list of the whole week."""
        return self.source.url(gte=midnight(self.days[0].date).isoformat())

    @property
    def today(self) -> Day:
        """Return the last day."""
        return self.days[-1]

    @property
    def total(self) -> str:
        """Return the sum of all days in the format of the reader's language."""
        return number_format(sum(day.count for day in self.days), force_grouping=True)

    @property
    def bars(self) -> list[tuple[Day, Bar]]:
        """Return the days, each with its bar."""
        return list(zip(self.days, bars([day.count for day in self.days]), strict=True))


@dataclass(frozen=True)
class Week:
    """Hold all figures."""

    figures: list[Figure]

    @property
    def rows(self) -> list[tuple[Day, ...]]:
        """Return the counts by day: in each row, one day of each figure."""
        return list(zip(*(figure.days for figure in self.figures), strict=True))


def for_user(user: User | AnonymousUser) -> Week:
    """Return the week, read in one query; return an empty one without a query if `user` may not see events."""
    if not user.has_perm("accounts.view_securityevent"):
        return Week([])
    today = timezone.localdate()
    days = [today - timedelta(days=ago) for ago in reversed(range(DAYS))]
    counts = _counts(days)
    return Week([Figure(source, [_day(source, day, counts) for day in days]) for source in SOURCES])


def _day(source: Source, day: date, counts: dict[tuple[str, date], int]) -> Day:
    """Return the count of a day, with the URL of its events."""
    next_day = day + timedelta(days=1)
    url = source.url(gte=midnight(day).isoformat(), lt=midnight(next_day).isoformat())  # A range can use the index.
    return Day(day, counts.get((source.kind, day), 0), url)


def _counts(days: list[date]) -> dict[tuple[str, date], int]:
    """Return the counts by kind and day, each read from a range of one index.

    Grouping by day instead takes four times as long for a million events in one week, most of it to compute the day of
    each.
    """
    days_of_kinds = [(source.kind, day) for source in SOURCES for day in days]
    counts = [
        SecurityEvent.objects.filter(
            kind=kind, created_at__gte=midnight(day), created_at__lt=midnight(day + timedelta(days=1))
        )
        .order_by()
        .values(index=Value(index, IntegerField()))
        .annotate(number=Count("*"))
        for index, (kind, day) in enumerate(days_of_kinds)
    ]
    return {days_of_kinds[row["index"]]: row["number"] for row in counts[0].union(*counts[1:], all=True).order_by()}
