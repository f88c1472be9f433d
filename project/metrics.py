"""Serve the counters of all processes to Prometheus, if METRICS_TOKEN is set and the request has it."""

import os

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from accounts.db_metrics import db_metrics
from tokens.decorators import anonymous_only


@require_safe
@never_cache
@anonymous_only
@login_not_required
def metrics(request: HttpRequest) -> HttpResponse:
    """Return the metrics, or 404 without the bearer token, so that nobody learns that there is anything here."""
    if not knows_token(request):
        raise Http404
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:  # Each of several workers writes its own files there.
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    database_registry = CollectorRegistry()
    database_registry.register(db_metrics)
    return HttpResponse(
        generate_latest(registry) + generate_latest(database_registry), content_type=CONTENT_TYPE_LATEST
    )


def knows_token(request: HttpRequest) -> bool:
    """Return whether the request has METRICS_TOKEN."""
    given = request.headers.get("Authorization", "").encode()
    expected = f"Bearer {settings.METRICS_TOKEN}".encode()
    return bool(settings.METRICS_TOKEN) and constant_time_compare(given, expected)
