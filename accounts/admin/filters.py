"""Filter the lists. No filter queries the database for the values that occur."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, cast

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import SecurityEvent
from tokens.admin import ChoiceFilter
from tokens.client import OTHER
from tokens.models import RefreshToken, RefreshTokenQuerySet

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise

    ModelAdmin = admin.ModelAdmin[Model]

Events = QuerySet[SecurityEvent]
Sessions = QuerySet[RefreshToken]
Choices = list[tuple[str, "StrPromise | str"]]

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2999, 12, 31)  # Midnight overflows at the far ends of the calendar.


class StateFilter(admin.SimpleListFilter):
    """Filter sessions by whether they have ended."""

    title = _("status")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin") -> Choices:
        return [("live", _("Active")), ("ended", _("Ended"))]

    def queryset(self, request: HttpRequest, queryset: Sessions) -> Sessions:
        rows = cast(RefreshTokenQuerySet, queryset)
        return {"live": rows.live, "ended": rows.ended}.get(self.value() or "", rows.all)()


class AgeFilter(admin.SimpleListFilter):
    """Filter sessions by when they were started."""

    title = _("age")
    parameter_name = "age"
    spans: ClassVar[dict[str, timedelta]] = {
        "hour": timedelta(hours=1),
        "day": timedelta(days=1),
        "week": timedelta(days=7),
        "month": timedelta(days=30),
    }

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin") -> Choices:
        return [
            ("hour", _("Less than an hour")),
            ("day", _("Less than a day")),
            ("week", _("Less than a week")),
            ("month", _("Less than 30 days")),
            ("older", _("Older")),
        ]

    def queryset(self, request: HttpRequest, queryset: Sessions) -> Sessions:
        if self.value() == "older":
            return queryset.filter(created_at__lte=timezone.now() - self.spans["month"])
        span = self.spans.get(self.value() or "")
        return queryset.filter(created_at__gt=timezone.now() - span) if span else queryset


class BrowserFilter(admin.SimpleListFilter):
    """Filter sessions by browser."""

    title = _("browser")
    parameter_name = "browser"

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin") -> Choices:
        names = {"edge": "Edge", "opera": "Opera", "samsung": "Samsung Internet"}
        names |= {"firefox": "Firefox", "chrome": "Chrome", "safari": "Safari"}
        return [*sorted(names.items()), (OTHER, _("Another browser or an app"))]

    def queryset(self, request: HttpRequest, queryset: Sessions) -> Sessions:
        return queryset.filter(browser=self.value()) if self.value() else queryset


class EventKindFilter(ChoiceFilter):
    """Filter events by kind."""

    title = _("event")
    parameter_name = "kind__exact"
    choices_class = SecurityEvent.Kind


class ActorFilter(admin.SimpleListFilter):
    """Filter events by whether an administrator caused them."""

    title = _("actor")
    parameter_name = "actor"

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin") -> Choices:
        return [("admin", _("An administrator")), ("self", _("The user, or unknown"))]

    def queryset(self, request: HttpRequest, queryset: Events) -> Events:
        return queryset.filter(actor__isnull=self.value() == "self") if self.value() in ("admin", "self") else queryset


class DateRangeFilter(admin.ListFilter):
    """Filter events from one day to another, both included, by the site's time zone, with two date fields."""

    title = _("day")
    template = "admin/date_range_filter.html"

    def __init__(
        self, request: HttpRequest, params: dict[str, Any], model: type[Model], model_admin: "ModelAdmin"
    ) -> None:
        super().__init__(request, params, model, model_admin)
        for name in self.expected_parameters():
            if name in params:
                self.used_parameters[name] = params.pop(name)[-1]

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str]:  # type: ignore[override]
        return ["since", "until"]

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, object]]:  # type: ignore[override]
        """Yield the context of the one form, which carries the other filters along."""
        others = {"q": [changelist.query] if changelist.query else [], **changelist.get_filters_params()}
        carried = [(name, value) for name, values in others.items() for value in values]
        own = self.expected_parameters()
        yield {**self.used_parameters, "carried": [(name, value) for name, value in carried if name not in own]}

    def queryset(self, request: HttpRequest, queryset: Events) -> Events:
        if since := self._day("since"):
            queryset = queryset.filter(created_at__gte=midnight(since))
        if until := self._day("until"):
            queryset = queryset.filter(created_at__lt=midnight(until + timedelta(days=1)))
        return queryset

    def _day(self, name: str) -> date | None:
        given = self.used_parameters.get(name)
        if not given:
            return None
        with suppress(ValueError):
            day = date.fromisoformat(str(given))
            if FIRST_DAY <= day <= LAST_DAY:
                return day
        raise IncorrectLookupParameters


def midnight(day: date) -> datetime:
    """Return when `day` begins in the site's time zone."""
    return timezone.make_aware(datetime.combine(day, time.min))
