"""Serve the metrics of all processes to Prometheus, if METRICS_TOKEN is set and the request has it."""

import logging
import os
import re
from collections.abc import Iterable, Iterator
from functools import cache, partial
from glob import glob
from time import CLOCK_BOOTTIME, clock_gettime, time

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from accounts.db_metrics import db_metrics
from accounts.metrics import create_series
from project import http_metrics
from project.health import knows_token, run_checks
from tokens.conf import conf
from tokens.decorators import anonymous_only

logger = logging.getLogger("project")


@require_safe
@never_cache
@anonymous_only
@login_not_required
def metrics(request: HttpRequest) -> HttpResponse:
    """Return the metrics, or 404 without the bearer token, so that nobody learns that there is anything here."""
    if not knows_token(request):
        raise Http404
    create_series()
    http_metrics.create_series()
    registry = REGISTRY
    if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):  # Each of several workers writes its own files there.
        registry = CollectorRegistry()
        registry.register(WorkersCollector(folder))
    others = CollectorRegistry()
    others.register(db_metrics)
    others.register(SiteCollector())
    return HttpResponse(generate_latest(registry) + generate_latest(others), content_type=CONTENT_TYPE_LATEST)


class SiteCollector(Collector):
    """Ask what any process knows: the answers of `/readyz`, and the age of the key that signs."""

    def collect(self) -> Iterator[Metric]:
        """Yield the figures; a key that is derived from SECRET_KEY has no age."""
        checks = run_checks()
        family = GaugeMetricFamily("sojourn_check_ok", "Whether a check of /readyz passes.", labels=["check"])
        for name, found in checks.items():
            family.add_metric([name], float(bool(found["ok"])))
        yield family
        family = GaugeMetricFamily("sojourn_key_age_seconds", "How long the current key has been signing.")
        if checks["keys"]["ok"] and (since := conf.key_ring.current.since) is not None:
            family.add_metric([], time() - since)
        yield family

    def describe(self) -> Iterable[Metric]:
        """Check nothing when the collector is registered."""
        return ()


class WorkersCollector(MultiProcessCollector, Collector):
    """Add up the files of all workers, and measure the workers that are alive."""

    def __init__(self, folder: str) -> None:
        super().__init__(None, folder)  # type: ignore[no-untyped-call]  # It has no types.

    def collect(self) -> Iterator[Metric]:
        """Yield what can be read: one file that cannot, such as one of root's, must not hide all the others."""
        files = [path for path in glob(os.path.join(self._path, "*.db")) if _is_readable(path)]
        yield from self.merge(files)  # type: ignore[no-untyped-call]
        families: dict[str, Metric] = {}
        for pid in sorted({match[1] for path in files if (match := re.search(r"gauge_livesum_(\d+)\.db$", path))}):
            for family in WorkerCollector(pid).collect():
                merged = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    merged.add_sample(sample.name, {"pid": pid}, sample.value)
        yield from families.values()

    def describe(self) -> Iterable[Metric]:
        """Read nothing when the collector is registered."""
        return ()


class WorkerCollector(ProcessCollector):
    """Measure the worker `pid`, also where a unit's ProcSubset=pid hides /proc/stat, which says when Linux started."""

    def __init__(self, pid: str) -> None:
        super().__init__(pid=partial(str, pid), registry=None)

    def _boot_time(self) -> float:
        return time() - clock_gettime(CLOCK_BOOTTIME)


def _is_readable(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return bool(file.read(1))  # A worker may be about to fill one that is empty.
    except FileNotFoundError:  # A worker has ended meanwhile.
        return False
    except OSError as error:
        _warn(path, str(error.strerror))
        return False


@cache  # once for each file
def _warn(path: str, cause: str) -> None:
    logger.warning("Metrics in %s cannot be read and are left out: %s.", path, cause)
