"""Seven days in figures for the front page of the admin: sign-ins, refusals, refreshes and reuse.

Days are those of the site's time zone, the last of them today. Events are counted in the history; refreshes leave none,
and what is known of them are the tallies (tallies.py says what those miss).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from urllib.parse import urlencode

from django.db.models import Count, IntegerField, Sum, Value
from django.db.models.functions import TruncDate
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import SecurityEvent, Tally, User
from accounts.plots import Bar, bars

Kind = SecurityEvent.Kind
Counts = Mapping[tuple[str, date], int]

DAYS = 7
EVENTS = (Kind.SIGNED_IN, Kind.SIGN_IN_FAILED, Kind.REUSE_FOUND)
REFRESHES = "child,kept,confirmed_by_refresh,behind"  # the branches that give a refresh token a new access token


@dataclass(frozen=True)
class Source:
    """Where a figure comes from: rows of `model` with this `key`, by the day of their column `when`."""

    name: str | Promise
    meaning: str | Promise
    key: str
    model: str = "securityevent"
    where: str = "kind__exact"
    when: str = "at"
    alarming: bool = False

    @property
    def permission(self) -> str:
        return f"accounts.view_{self.model}"

    def url(self, **when: str) -> str:
        """The admin's list of what is counted."""
        query = {self.where: self.key} | {f"{self.when}__{name}": value for name, value in when.items()}
        return f"{reverse(f'admin:accounts_{self.model}_changelist')}?{urlencode(query)}"


SOURCES = (
    Source(_("Sign-ins"), _("Somebody signed in."), Kind.SIGNED_IN),
    Source(_("Refusals"), _("A sign-in failed: a wrong name or a wrong password."), Kind.SIGN_IN_FAILED),
    Source(_("Refreshes"), _("A browser stayed signed in by a new token."), REFRESHES, "tally", "branch__in", "hour"),
    Source(_("Reuse"), _("A copy of a sign-in was used, and sessions were ended."), Kind.REUSE_FOUND, alarming=True),
)


@dataclass(frozen=True)
class Day:
    date: date
    count: int
    url: str

    @property
    def number(self) -> str:
        return number_format(self.count, force_grouping=True)


@dataclass(frozen=True)
class Figure:
    source: Source
    days: list[Day]

    @property
    def url(self) -> str:
        """The admin's list of the whole week."""
        return self.source.url(gte=_midnight(self.days[0].date).isoformat())

    @property
    def today(self) -> Day:
        return self.days[-1]

    @property
    def total(self) -> str:
        return number_format(sum(day.count for day in self.days), force_grouping=True)

    @property
    def bars(self) -> list[tuple[Day, Bar]]:
        return list(zip(self.days, bars([day.count for day in self.days]), strict=True))


@dataclass(frozen=True)
class Week:
    figures: list[Figure]

    @property
    def rows(self) -> list[tuple[Day, ...]]:
        """The same by days: in each row, one number of each figure."""
        return list(zip(*(figure.days for figure in self.figures), strict=True))


def of(person: User) -> Week:
    """What `person` may see of the week, in two queries at most: none for what they may not see."""
    today = timezone.localdate()
    days = [today - timedelta(days=ago) for ago in reversed(range(DAYS))]
    sources = [source for source in SOURCES if person.has_perm(source.permission)]
    models = {source.model for source in sources}
    counts = {**(_events(days) if "securityevent" in models else {}), **(_refreshes(days) if "tally" in models else {})}
    return Week([Figure(source, [_day(source, day, counts) for day in days]) for source in sources])


def _day(source: Source, day: date, counts: Counts) -> Day:
    next_day = day + timedelta(days=1)
    url = source.url(gte=_midnight(day).isoformat(), lt=_midnight(next_day).isoformat())  # which an index knows
    return Day(day, counts.get((source.key, day), 0), url)


def _events(days: list[date]) -> Counts:
    """Each day of each kind is a range of one index, which is counted. To group by the day instead takes four times as
    long for a million events in one week, most of it to find out which day they are of."""
    places = [(kind, day) for kind in EVENTS for day in days]
    counts = [
        SecurityEvent.objects.filter(kind=kind, at__gte=_midnight(day), at__lt=_midnight(day + timedelta(days=1)))
        .order_by()
        .values(place=Value(place, IntegerField()))
        .annotate(number=Count("*"))
        for place, (kind, day) in enumerate(places)
    ]
    return {places[row["place"]]: row["number"] for row in counts[0].union(*counts[1:], all=True)}


def _refreshes(days: list[date]) -> Counts:
    rows = Tally.objects.filter(branch__in=REFRESHES.split(","), hour__gte=_midnight(days[0])).order_by()
    by_day = rows.values(day=TruncDate("hour")).annotate(number=Sum("count"))
    return {(REFRESHES, row["day"]): row["number"] for row in by_day}


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
