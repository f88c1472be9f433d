"""The log: one line for each record, as JSON for machines or as text for people. docs/howto/observe.md has the fields.

All code writes through the standard library's `logging`; what makes a line of a record stands here alone. So this is
also where a line learns who asked, and where nothing passes that could be a secret or forge a line.
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
# What a record may say beside its sentence. Whatever else somebody hangs on a record is left out.
FIELDS = (
    *("kind", "token_event", "reason", "sid", "user_id", "session_id", "actor_id", "count", "limit"),
    *("method", "path", "status", "seconds", "bytes", "blocked"),
)

Line = MutableMapping[str, Any]


def configuration(form: str, level: str) -> dict[str, object]:
    """For LOGGING, and for a server that logs before there are settings. `level` is that of the site's own code."""
    site = {"level": level.upper()}
    django = {"handlers": ["console"], "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": "project.logs.formatter", "form": form}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": "WARNING"},
        "loggers": {
            # Named so that Django's own handlers go: they are silent in production and mail each error to the admins.
            "django": {"level": "INFO", **django},
            "django.server": {"level": "INFO", **django},
            "accounts": site,
            "project": site,
            "tokens": site,
        },
    }


def form_of_environment() -> str:
    return env.one_of("LOG_FORMAT", FORMS, "text" if env.switch("DEBUG", default=False) else "json")


def formatter(form: str) -> logging.Formatter:
    """A formatter of the standard library that makes lines in this `form`, `json` or `text`."""
    text = (escape, ConsoleRenderer(colors=False, event_key="message", exception_formatter=plain_traceback))
    return ProcessorFormatter(
        processors=[
            add_log_level,
            add_logger_name,
            TimeStamper(fmt="iso", utc=True),
            ExtraAdder(FIELDS),
            add_request,
            add_kind,
            calm,
            StackInfoRenderer(),
            format_exc_info,
            redact,
            ProcessorFormatter.remove_processors_meta,
            EventRenamer("message", replace_by="kind"),
            *(text if form == "text" else (JSONRenderer(),)),
        ]
    )


def add_request(logger: object, method: str, line: Line) -> Line:
    """Whose request it was: what is known by now, without looking anything up. What is empty is left out."""
    if sid := line.pop("sid", None):
        line.setdefault("session_id", sid)
    request = _request(line)
    if request is not None:
        _add(line, request)
    return {name: value for name, value in line.items() if value not in (None, "")}


def add_kind(logger: object, method: str, line: Line) -> Line:
    """A name for what happened, the same for ever; that of the logger for what has none."""
    status = line.get("status")
    if token_event := line.get("token_event"):
        line.setdefault("kind", f"token_{token_event}")
    elif isinstance(status, int) and status >= 400:
        line.setdefault("kind", "request_failed" if status >= 500 else "request_refused")
    line.setdefault("kind", line["logger"])
    return line


def calm(logger: object, method: str, line: Line) -> Line:
    """A traceback is for mistakes of ours. What strangers can bring about at will is a warning, and one line."""
    if line["logger"].startswith("django.security"):
        line["level"] = "warning"
    if line["level"] == "warning":
        line.pop("exc_info", None)
    return line


def redact(logger: object, method: str, line: Line) -> Line:
    """Where the code does not write a word of its own choice: what was typed may be a word in such a one."""
    known = secrets_of(_request(line))
    for name in ("event", "reason", "exception", "stack"):
        if isinstance(line.get(name), str):
            line[name] = redacted(line[name], known)
    for name in ("path", "blocked"):
        if isinstance(line.get(name), str):
            line[name] = redacted(line[name])
    return line


def escape(logger: object, method: str, line: Line) -> Line:
    """No text ends its line, moves the terminal or turns what follows around. JSON escapes all that by itself."""
    shown = {name: _visible(value) if isinstance(value, str) else value for name, value in line.items()}
    for name in ("exception", "stack"):
        if name in line:
            shown[name] = "\n".join(f"    {_visible(part)}" for part in line[name].split("\n"))
    return shown


def _visible(text: str) -> str:
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _add(line: Line, request: HttpRequest) -> None:
    line["request_id"] = getattr(request, "id", None)
    claims = getattr(getattr(request, "tokens", None), "claims", None)
    if claims and line.setdefault("user_id", claims.sub) == claims.sub:  # or it is about somebody else
        line.setdefault("session_id", claims.sid)
    line.setdefault("method", request.method)
    line.setdefault("path", _path(request))
    if status := getattr(line["_record"], "status_code", None):
        line.setdefault("status", status)


def _request(line: Line) -> HttpRequest | None:
    told = getattr(line["_record"], "request", None)  # runserver puts a socket there
    return told if isinstance(told, HttpRequest) else request_id.current()


def _path(request: HttpRequest) -> str:
    """The route, if there is one: paths hold the secrets of links."""
    match = request.resolver_match
    return f"/{match.route}" if match else request.path
