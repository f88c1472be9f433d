"""What every page of this app has in common on its way out."""

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.deprecation import MiddlewareMixin

from accounts.throttle import Throttled


class ThrottledAnswers(MiddlewareMixin):
    """Whatever was tried too often is a 429 that says when: a page of its own, or the form with what was typed."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return render(request, "429.html", {"throttled": exception}) if isinstance(exception, Throttled) else None

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        throttled: Throttled | None = getattr(request, "throttled", None)
        if throttled and response.status_code == 200:
            response.status_code = 429
            response.headers["Retry-After"] = str(throttled.retry_after)
        return response
