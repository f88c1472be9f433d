"""Report on sessions in figures, counted by the database with a few queries however many there are."""

import json
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db.models import Count, Q
from django.utils import timezone

from accounts.account.user_agents import describe
from accounts.models import User
from tokens.models import RefreshToken, RefreshTokenQuerySet

AGES = {
    "an hour": timedelta(hours=1),
    "a day": timedelta(days=1),
    "a week": timedelta(weeks=1),
    "a month": timedelta(days=30),
}
OLDER = "longer"

Figures = dict[str, int]


class Command(BaseCommand):
    """Print the report as text or as JSON."""

    help = (
        "Report how many active sessions there are by age, device, browser and sign-in method, why others ended, and "
        "who has the most. This changes nothing and locks nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, default=7, help="include sessions that ended in the last DAYS days (7)")
        parser.add_argument("--top", type=int, default=10, help="how many users to list (10)")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: object, days: int, top: int, **options: object) -> None:
        figures = report(days, top)
        if options["json"]:
            self.stdout.write(json.dumps(figures))
            return
        live = figures.pop("live")
        self.stdout.write(f"{live} active sessions")
        for what, counted in ((what, counted) for what, counted in figures.items() if counted):
            self.stdout.write(f"\n{TITLES[what].format(days=days)}")
            for name, number in counted.items():
                self.stdout.write(f"  {number:>9}  {name}")


TITLES = {
    "by_age": "Active, by time since sign-in",
    "by_device": "Active, by device",
    "by_browser": "Active, by browser",
    "by_method": "Active, by sign-in method",
    "ended": "Ended in the last {days} days, by reason",
    "people": "Users with the most active sessions",
}


def report(days: int, top: int) -> dict[str, Any]:
    """Return the figures by name, each part in descending order except for the ages."""
    live = RefreshToken.objects.live()
    devices, browsers = _devices(live)
    return {
        "live": live.count(),
        "by_age": _ages(live),
        "by_device": devices,
        "by_browser": browsers,
        "by_method": _counted(live, "method"),
        "ended": _ended(timezone.now() - timedelta(days=days)),
        "people": _people(live, top),
    }


def _ages(live: RefreshTokenQuerySet) -> Figures:
    """Return the number of sessions by age; each counts only in the first line that fits."""
    now = timezone.now()
    counts = {name: Count("pk", filter=Q(created_at__gt=now - age)) for name, age in AGES.items()}
    rows = live.aggregate(**{f"age_{index}": count for index, count in enumerate(counts.values())}, all=Count("pk"))
    totals = [*(rows[f"age_{index}"] for index in range(len(AGES))), rows["all"]]
    return {name: number - before for name, number, before in zip((*AGES, OLDER), totals, (0, *totals), strict=False)}


def _devices(live: RefreshTokenQuerySet) -> tuple[Figures, Figures]:
    """Count sessions by kind of device, and by browser without its version."""
    devices: Counter[str] = Counter()
    browsers: Counter[str] = Counter()
    headers = live.order_by().values_list("user_agent").annotate(number=Count("pk"))
    for header, number in headers.iterator():
        device = describe(header)
        devices[device.kind] += number
        browsers[device.browser.rstrip("0123456789 ") or "unknown"] += number
    return dict(devices.most_common()), dict(browsers.most_common())


def _ended(since: datetime) -> Figures:
    """Count the sessions that ended since then, by reason."""
    revoked = RefreshToken.objects.filter(revoked_at__gt=since)
    expired = RefreshToken.objects.filter(revoked_at=None, expires_at__gt=since, expires_at__lte=timezone.now())
    figures = Counter(_counted(revoked, "reason"))
    figures[str(RefreshToken.Reason.EXPIRED)] += expired.count()
    return {name: number for name, number in figures.most_common() if number}


def _counted(rows: RefreshTokenQuerySet, field: str) -> Figures:
    """Count `rows` by the value of a field."""
    counts = rows.order_by().values_list(field).annotate(number=Count("pk")).order_by("-number", field)
    return {name or "unknown": number for name, number in counts}


def _people(live: RefreshTokenQuerySet, top: int) -> Figures:
    """Count the sessions of those users who have the most."""
    counts = live.order_by().exclude(user=None).values_list("user_id").annotate(number=Count("pk"))
    rows = list(counts.order_by("-number", "user_id")[:top])
    names = dict(User.objects.filter(pk__in=[key for key, _ in rows]).values_list("pk", "username"))
    return {names[key]: number for key, number in rows if key in names}
