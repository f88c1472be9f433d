"""Configure the log: one line for each record, as JSON or as text. docs/howto/observe.md lists the fields.

All code uses the standard library's `logging`; records become lines only here. So this is also where a line gets the
request's user, and where secrets and line breaks are removed.
"""

import logging
from collections.abc import MutableMapping
from typing import Any

from django.http import HttpRequest
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.processors import EventRenamer, JSONRenderer, StackInfoRenderer, TimeStamper, format_exc_info
from structlog.stdlib import ExtraAdder, ProcessorFormatter, add_log_level, add_logger_name

from project import environment as env
from project import request_id
from project.redaction import redacted, secrets_of

FORMS: tuple[str, ...] = ("json", "text")
LEVELS: tuple[str, ...] = ("debug", "info", "warning", "error")
# The fields that a record may have beside its message. Any other attribute is left out.
FIELDS = (
    *("kind", "token_event", "reason", "sid", "user_id", "session_id", "actor_id", "count", "limit"),
    *("method", "path", "status", "seconds", "bytes", "blocked", "provider", "cause"),
)

Line = MutableMapping[str, Any]


def configuration(form: str, level: str) -> dict[str, object]:
    """Return the value of LOGGING, also for a server that logs before there are settings.

    `level` is that of the site's own code.
    """
    site = {"level": level.upper()}
    django = {"handlers": ["console"], "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": "project.logs.formatter", "form": form}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": "WARNING"},
        "loggers": {
            # Listed to replace Django's own handlers, which are silent in production and mail errors to the admins.
            "django": {"level": "INFO", **django},
            "django.server": {"level": "INFO", **django},
            "accounts": site,
            "project": site,
            "tokens": site,
        },
    }


def form_of_environment() -> str:
    """Return LOG_FORMAT; by default text in development and JSON otherwise."""
    return env.one_of("LOG_FORMAT", FORMS, "text" if env.switch("DEBUG", default=False) else "json")


def formatter(form: str) -> logging.Formatter:
    """Return a formatter of the standard library for lines in this `form`, `json` or `text`."""
    text = (escape, ConsoleRenderer(colors=False, event_key="message", exception_formatter=plain_traceback))
    return ProcessorFormatter(
        processors=[
            add_log_level,
            add_logger_name,
            TimeStamper(fmt="iso", utc=True),
            ExtraAdder(FIELDS),
            add_request,
            add_kind,
            drop_tracebacks,
            StackInfoRenderer(),
            format_exc_info,
            redact,
            ProcessorFormatter.remove_processors_meta,
            EventRenamer("message", replace_by="kind"),
            *(text if form == "text" else (JSONRenderer(),)),
        ]
    )


def add_request(logger: object, method: str, line: Line) -> Line:
    """Add what is known by now about the request, without looking anything up; drop empty fields."""
    if sid := line.pop("sid", None):
        line.setdefault("session_id", sid)
    request = _request(line)
    if request is not None:
        _add(line, request)
    return {name: value for name, value in line.items() if value not in (None, "")}


def add_kind(logger: object, method: str, line: Line) -> Line:
    """Name what happened by a `kind` that never changes, or by the logger if there is none."""
    status = line.get("status")
    if token_event := line.get("token_event"):
        line.setdefault("kind", f"token_{token_event}")
    elif isinstance(status, int) and status >= 400:
        line.setdefault("kind", "request_failed" if status >= 500 else "request_refused")
    line.setdefault("kind", line["logger"])
    return line


def drop_tracebacks(logger: object, method: str, line: Line) -> Line:
    """Keep tracebacks for errors of ours: what strangers can cause at will becomes a one-line warning."""
    if line["logger"].startswith("django.security"):
        line["level"] = "warning"
    if line["level"] == "warning":
        line.pop("exc_info", None)
    return line


def redact(logger: object, method: str, line: Line) -> Line:
    """Remove secrets from fields whose text is not a constant of the code.

    In a constant, a word that somebody typed as a password may occur by chance.
    """
    known = secrets_of(_request(line))
    for name in ("event", "reason", "exception", "stack"):
        if isinstance(line.get(name), str):
            line[name] = redacted(line[name], known)
    for name in ("path", "blocked"):
        if isinstance(line.get(name), str):
            line[name] = redacted(line[name])
    return line


def escape(logger: object, method: str, line: Line) -> Line:
    """Escape line breaks, terminal sequences and bidirectional marks; JSON does so by itself."""
    escaped = {name: _visible(value) if isinstance(value, str) else value for name, value in line.items()}
    for name in ("exception", "stack"):
        if name in line:
            escaped[name] = "\n".join(f"    {_visible(part)}" for part in line[name].split("\n"))
    return escaped


def _visible(text: str) -> str:
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _add(line: Line, request: HttpRequest) -> None:
    line["request_id"] = getattr(request, "id", None)
    claims = getattr(getattr(request, "tokens", None), "claims", None)
    if claims and line.setdefault("user_id", claims.sub) == claims.sub:  # Otherwise it is about another user.
        line.setdefault("session_id", claims.sid)
    line.setdefault("method", request.method)
    line.setdefault("path", _path(request))
    if status := getattr(line["_record"], "status_code", None):
        line.setdefault("status", status)


def _request(line: Line) -> HttpRequest | None:
    attached = getattr(line["_record"], "request", None)  # runserver attaches a socket.
    return attached if isinstance(attached, HttpRequest) else request_id.current()


def _path(request: HttpRequest) -> str:
    """Return the route if there is one, since paths contain the secrets of links."""
    match = request.resolver_match
    return f"/{match.route}" if match else request.path
