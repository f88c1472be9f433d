"""Which request is being answered, so that each line of the log can say so, and the id by which people can name it."""

import os
import re
from contextvars import ContextVar

from django.conf import settings
from django.core.signals import request_finished
from django.dispatch import receiver
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.deprecation import MiddlewareMixin

HEADER = "X-Request-ID"
VALID_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")

_current: ContextVar[HttpRequest | None] = ContextVar("request", default=None)


class RequestIdMiddleware(MiddlewareMixin):
    """`request.id`, which every line of the log and the response carry. Stands first.

    A proxy that is trusted may have given it, if it is short and plain; what a visitor sends is not taken over.
    """

    def process_request(self, request: HttpRequest) -> None:
        given = request.META.get("HTTP_X_REQUEST_ID", "") if settings.TRUSTED_PROXIES else ""
        request.id = given if VALID_ID.fullmatch(given) else os.urandom(8).hex()  # type: ignore[attr-defined]
        _current.set(request)

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response.headers[HEADER] = request.id  # type: ignore[attr-defined]
        return response


def current() -> HttpRequest | None:
    """The request that this thread, or this task, is answering; None outside of any."""
    return _current.get()


@receiver(request_finished)
def clear_current(**kwargs: object) -> None:
    """Not before: Django tells of a refusal, and gunicorn of the answer, when all middleware has gone."""
    _current.set(None)
