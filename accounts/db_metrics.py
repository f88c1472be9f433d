"""Measure what is in the database rather than in a process, for Prometheus. Every worker gives the same answer."""

from collections.abc import Iterator
from time import monotonic

from django.db import Error
from django.db.models import Count, Min
from django.utils import timezone
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from accounts.models import OutgoingMail
from tokens.models import RefreshToken

MIN_CACHE_TIME = 10.0  # seconds for which the figures are cached at least
CACHE_TIME_FACTOR = (
    100  # They are cached for so many times as long as the query took, so a big table is counted rarely.
)

Values = dict[str, float]
HELP = {
    "sojourn_live_sessions": "Sessions that have neither been ended nor expired.",
    "sojourn_mails_waiting": "Mails that no mail server has accepted yet.",
    "sojourn_mails_oldest_seconds": "How long the oldest of them has been waiting.",
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
            family = GaugeMetricFamily(name, help_text)
            if name in self._values:
                family.add_metric([], self._values[name])
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
    oldest = (timezone.now() - waiting["oldest"]).total_seconds() if waiting["oldest"] else 0.0
    return {
        "sojourn_live_sessions": RefreshToken.objects.live().count(),
        "sojourn_mails_waiting": waiting["count"],
        "sojourn_mails_oldest_seconds": oldest,
    }


db_metrics = DatabaseCollector()
