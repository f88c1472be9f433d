"""The counters of all processes, for Prometheus; only where METRICS_TOKEN is set, and only for whoever shows it."""

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
    """404 without `Authorization: Bearer` and the token: nobody learns that there is anything here."""
    if not knows_token(request):
        raise Http404
    counted = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:  # several workers: each writes files there
        counted = CollectorRegistry()
        MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
    read = CollectorRegistry()
    read.register(db_metrics)
    return HttpResponse(generate_latest(counted) + generate_latest(read), content_type=CONTENT_TYPE_LATEST)


def knows_token(request: HttpRequest) -> bool:
    """Whether whoever asks is a watcher of the site's own."""
    shown = request.headers.get("Authorization", "").encode()
    wanted = f"Bearer {settings.METRICS_TOKEN}".encode()
    return bool(settings.METRICS_TOKEN) and constant_time_compare(shown, wanted)
