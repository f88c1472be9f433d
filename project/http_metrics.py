"""Count and time requests for Prometheus, by the name of their view: paths are too many and hold secrets."""

from collections.abc import Iterator
from functools import cache
from time import perf_counter
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.deprecation import MiddlewareMixin
from prometheus_client import Counter, Gauge, Histogram

RESPONSES = Counter("sojourn_http_responses", "Responses, by view and status.", ["view", "status"])
DURATION = Histogram(
    "sojourn_http_seconds",
    "Time to answer a request, by view.",
    ["view"],
    buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
)
IN_FLIGHT = Gauge(
    "sojourn_http_in_flight", "Requests that are being answered.", ["method"], multiprocess_mode="livesum"
)

METHODS = {"GET", "HEAD", "POST"}  # what people send; others are one, or strangers could invent more
NO_VIEW = "none"  # static files, and requests that match no view or never came that far
CANCELLED = "499"  # nginx's status for a visitor who did not wait


class HttpMetricsMiddleware(MiddlewareMixin):
    """Measure each request, whatever becomes of it."""

    def __call__(self, request: HttpRequest) -> Any:
        if self.async_mode:  # type: ignore[attr-defined]  # the stubs lack it
            return self.__acall__(request)
        started, in_flight = _begin(request)
        response: Any = None
        try:
            response = self.get_response(request)
            return response
        finally:
            _count(request, response, started)
            in_flight.dec()

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        started, in_flight = _begin(request)
        response: Any = None
        try:
            response = await self.get_response(request)  # type: ignore[misc]
            return response  # type: ignore[no-any-return]
        finally:
            _count(request, response, started)
            in_flight.dec()


@cache
def create_series() -> None:
    """Let the failures of each view start at 0: Prometheus sees no increase in a series that is born with one."""
    for view in (NO_VIEW, *_view_names(get_resolver())):
        RESPONSES.labels(view, "500")
        RESPONSES.labels(view, "503")
    for method in (*METHODS, "other"):
        IN_FLIGHT.labels(method)


def _begin(request: HttpRequest) -> tuple[float, Gauge]:
    in_flight: Gauge = _series(IN_FLIGHT, request.method if request.method in METHODS else "other")
    in_flight.inc()
    return perf_counter(), in_flight


def _count(request: HttpRequest, response: HttpResponseBase | None, started: float) -> None:
    match = request.resolver_match
    view = match.view_name if match else NO_VIEW
    _series(RESPONSES, view, response.status_code if response else CANCELLED).inc()
    _series(DURATION, view).observe(perf_counter() - started)


@cache  # The metrics keep them as well, but take longer to find them than to count.
def _series(metric: Any, *labels: object) -> Any:
    return metric.labels(*labels)


def _view_names(resolver: URLResolver, *namespaces: str) -> Iterator[str]:
    """Yield the names of all views, as ResolverMatch.view_name has them."""
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from _view_names(pattern, *namespaces, *filter(None, [pattern.namespace]))
        elif isinstance(pattern, URLPattern):
            yield ":".join([*namespaces, pattern.name or pattern.lookup_str])
