"""Measure what is in the database rather than in a process, for Prometheus. Every worker gives the same answer."""

from collections.abc import Iterator
from datetime import datetime
from time import monotonic
from typing import cast

from django.db import Error, connection
from django.db.models import Count, Min
from django.utils import timezone
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from accounts.models import OutgoingMail, SecurityEvent, User
from accounts.models.security_event import EVENT_RETENTION
from tokens.conf import conf
from tokens.management import pruning
from tokens.models import KEPT_AFTER_END, RefreshToken
from tokens.models.status_index import used_share

MIN_CACHE_TIME = 10.0  # seconds for which the figures are cached at least
CACHE_TIME_FACTOR = (
    100  # They are cached for so many times as long as the query took, so a big table is counted rarely.
)

Values = dict[str, dict[str, float]]  # by name, and then by the value of the label, "" without one
LABELS = {"sojourn_overdue_seconds": ["command"]}
HELP = {
    "sojourn_live_sessions": "Sessions that have neither been ended nor expired.",
    "sojourn_mails_waiting": "Mails that no mail server has accepted yet.",
    "sojourn_mails_oldest_seconds": "How long the oldest of them has been waiting.",
    "sojourn_overdue_seconds": "How long the oldest row has been waiting for a daily command to delete it, or 0.",
    "sojourn_status_list_used_ratio": "How full the status list is, from 0 to 1.",
    "sojourn_db_connections": "Connections to PostgreSQL, whoever has them.",
    "sojourn_db_connections_limit": "How many PostgreSQL accepts from users who are not superusers.",
}


class DatabaseCollector(Collector):
    """Collect the figures of the database, or none while it is unavailable: the counters are shown all the same."""

    def __init__(self) -> None:
        self._values: Values = {}
        self._cached_until = float("-inf")

    def collect(self) -> Iterator[Metric]:
        """Yield the figures, read from the database at most every MIN_CACHE_TIME seconds."""
        self._refresh()
        for name, help_text in HELP.items():
            family = GaugeMetricFamily(name, help_text, labels=LABELS.get(name, []))
            for label, value in self._values.get(name, {}).items():
                family.add_metric([label] if label else [], value)
            yield family

    def describe(self) -> Iterator[Metric]:
        """Yield the names alone, so that registering the collector reads nothing."""
        return (GaugeMetricFamily(name, help_text) for name, help_text in HELP.items())

    def forget(self) -> None:
        """Read the database again the next time."""
        self._cached_until = float("-inf")

    def _refresh(self) -> None:
        started = monotonic()
        if started < self._cached_until:
            return
        try:
            self._values = _query()
        except Error:
            self._values = {}
        duration = monotonic() - started
        self._cached_until = started + max(MIN_CACHE_TIME, CACHE_TIME_FACTOR * duration)


def _query() -> Values:
    waiting = OutgoingMail.objects.aggregate(count=Count("pk"), oldest=Min("created_at"))
    values = {
        "sojourn_live_sessions": {"": RefreshToken.objects.live().count()},
        "sojourn_mails_waiting": {"": waiting["count"]},
        "sojourn_mails_oldest_seconds": {"": _seconds_since(waiting["oldest"])},
        "sojourn_overdue_seconds": _overdue(),
    }
    if conf.status_list:
        values["sojourn_status_list_used_ratio"] = {"": used_share(RefreshToken.objects.all())}
    return values | _connections()


def _overdue() -> dict[str, float]:
    """Return for how long work has been waiting for each daily command: what counts is that it is done."""
    session = pruning.old().aggregate(oldest=Min("expires_at"))["oldest"]
    event = SecurityEvent.objects.old().aggregate(oldest=Min("created_at"))["oldest"]
    account = User.objects.due_for_deletion().aggregate(oldest=Min("deletion_due_at"))["oldest"]
    return {
        "cleartokens": _seconds_since(session and session + KEPT_AFTER_END),
        "tidyaccounts": max(_seconds_since(event and event + EVENT_RETENTION), _seconds_since(account)),
    }


def _connections() -> Values:
    """Return how many connections there are and may be, where the database counts them."""
    if connection.vendor != "postgresql":
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(datid), "  # PostgreSQL hides the type of other users' connections, but not their database
            "current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int "
            "FROM pg_stat_activity"
        )
        number, limit = cast("tuple[int, int]", cursor.fetchone())
    return {"sojourn_db_connections": {"": number}, "sojourn_db_connections_limit": {"": limit}}


def _seconds_since(moment: datetime | None) -> float:
    return (timezone.now() - moment).total_seconds() if moment else 0.0


db_metrics = DatabaseCollector()
