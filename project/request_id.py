"""Give each request an id, and let the log find the request that is being answered."""

import os
import re
from contextvars import ContextVar

from django.conf import settings
from django.core.signals import request_finished
from django.dispatch import receiver
from django.http import HttpRequest

HEADER = "X-Request-ID"
VALID_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")

_current: ContextVar[HttpRequest | None] = ContextVar("request", default=None)


def assign(request: HttpRequest) -> None:
    """Set `request.id`, which the response and every line of the log carry.

    A trusted proxy may supply the id if it is short and plain; one that a visitor sends is ignored.
    """
    given = request.META.get("HTTP_X_REQUEST_ID", "") if settings.TRUSTED_PROXIES else ""
    request.id = given if VALID_ID.fullmatch(given) else os.urandom(8).hex()  # type: ignore[attr-defined]
    _current.set(request)


def current() -> HttpRequest | None:
    """Return the request that this thread or task is answering, or None outside of any."""
    return _current.get()


@receiver(request_finished)
def clear_current(**kwargs: object) -> None:
    """Forget the request.

    This is the earliest moment: Django logs refusals, and gunicorn responses, after all middleware has returned.
    """
    _current.set(None)
