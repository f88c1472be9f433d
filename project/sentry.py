"""Report errors to Sentry, for sites that set SENTRY_DSN and install sentry-sdk; without it nothing is imported.

An event is made anew from what is known to be harmless: Sentry's own scrubbing leaves out what looks like a secret, and
the paths of our mails do not.
"""

from typing import Any

from django.core.exceptions import ImproperlyConfigured

from project import request_id
from project.redaction import redacted, secrets_of

KEPT = ("event_id", "timestamp", "platform", "level", "logger", "release", "environment", "transaction", "sdk")
FRAME = ("filename", "function", "module", "lineno", "context_line", "in_app")


def start(dsn: str) -> None:
    """Report what is logged as an error, and what fails, from now on."""
    try:
        import sentry_sdk
        from sentry_sdk.integrations.django import DjangoIntegration
    except ImportError:
        raise ImproperlyConfigured("SENTRY_DSN needs the package sentry-sdk.") from None
    sentry_sdk.init(
        dsn,
        integrations=[DjangoIntegration(middleware_spans=False, signals_spans=False)],  # names requests by their route
        auto_enabling_integrations=False,
        auto_session_tracking=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        server_name="",
        before_send=harmless,
    )


def harmless(event: Any, hint: object) -> Any:
    """Return the event without request, visitor, variables and the text of the exception, which may quote a row.

    The log has that text, in the lines of the same `request_id`.
    """
    request = request_id.current()
    kept = {name: event[name] for name in KEPT if name in event}
    if "transaction" in kept:  # the path, if it has no route
        kept["transaction"] = redacted(kept["transaction"])
    if message := event.get("logentry", {}).get("message"):  # without its parameters
        kept["logentry"] = {"message": redacted(message, secrets_of(request))}
    if "exception" in event:
        kept["exception"] = {"values": [_place(each) for each in event["exception"]["values"]]}
    if request:
        kept["tags"] = {"request_id": getattr(request, "id", "")}
    return kept


def _place(exception: dict[str, Any]) -> dict[str, Any]:
    frames = (exception.get("stacktrace") or {}).get("frames", [])
    kept = [{name: frame[name] for name in FRAME if name in frame} for frame in frames]
    return {"type": exception.get("type"), "stacktrace": {"frames": kept}}
