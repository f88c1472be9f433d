"""Read settings by django-environ, but strictly: a missing or malformed variable stops the start.

One sentence names the variable. By itself django-environ reads `DEBUG=flase` as False, `TOKENS_ACCESS_LIFETIME=15min`
as 15, and a secret key that begins with `$` as the name of another variable. An empty variable counts as not set.
"""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from struct import unpack
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email

from accounts.providers import configuration
from project.colours import TooFaint, palette

Parts = dict[str, Any]  # the parts of a URL under the names of Django's settings


class Env(environ.Env):
    """Add the scheme of the demo's mail backend."""

    EMAIL_SCHEMES = {**environ.Env.EMAIL_SCHEMES, "filemail": "project.email_backend.EmailBackend"}  # noqa: RUF012


# The options of the mail backends, and where django-environ has them.
MAIL_OPTIONS = {
    "django.core.mail.backends.smtp.EmailBackend": {
        "host": "EMAIL_HOST",
        "port": "EMAIL_PORT",
        "username": "EMAIL_HOST_USER",
        "password": "EMAIL_HOST_PASSWORD",
        "use_tls": "EMAIL_USE_TLS",
        "use_ssl": "EMAIL_USE_SSL",
    },
    "project.email_backend.EmailBackend": {"file_path": "EMAIL_FILE_PATH"},
}
MAIL_TIMEOUT = 10  # seconds for each response of the mail server

DATABASE_SWITCHES = {"ATOMIC_REQUESTS", "AUTOCOMMIT", "CONN_HEALTH_CHECKS", "DISABLE_SERVER_SIDE_CURSORS"}
# How long a request waits for the database: less than nginx waits for the answer.
CONNECT_TIMEOUT = 5  # seconds
DEADLINES: dict[str, Parts] = {
    "django.db.backends.postgresql": {
        "lock_timeout": "5s",
        "statement_timeout": "20s",
        "idle_in_transaction_session_timeout": "20s",
    },
    "django.db.backends.mysql": {"read_timeout": 20, "write_timeout": 20},
}

LOGO_HEIGHT = 28  # pixels
WIDEST_LOGO = 6  # times as wide as high

YES = {"true", "on", "yes", "1"}
NO = {"false", "off", "no", "0"}


def is_set(name: str) -> bool:
    """Return whether the variable is set and not blank."""
    return bool(os.environ.get(name, "").strip())


def text(name: str, default: str | None = None) -> str:
    """Return the variable as it is. Raise ImproperlyConfigured if it is not set and there is no default."""
    if is_set(name):
        return os.environ[name]
    if default is None:
        raise ImproperlyConfigured(f"{name} is not set in the environment, see .env.example.")
    return default


def switch(name: str, default: bool | None = None) -> bool:
    """Return a boolean. Raise ImproperlyConfigured, as all functions below."""
    return _boolean(name, text(name, None if default is None else str(default)))


def _boolean(name: str, value: str) -> bool:
    if (value := value.strip().lower()) not in YES | NO:
        raise ImproperlyConfigured(f"{name} must be true or false.")
    return value in YES


def whole(name: str, default: int | None = None) -> int:
    """Return an integer, zero or more."""
    value = text(name, None if default is None else str(default)).strip()
    if not (value.isascii() and value.isdigit()):
        raise ImproperlyConfigured(f"{name} must be a whole number, zero or more.")
    return int(value)


def seconds(name: str, default: int | None = None) -> int | float:
    """Return a duration in seconds: an integer, or a float if it is written with a point, such as `0.5`."""
    value = text(name, None if default is None else str(default)).strip()
    before, dot, after = value.partition(".")
    if not (value.isascii() and before.isdigit() and (after.isdigit() if dot else True)):
        raise ImproperlyConfigured(f"{name} must be a number of seconds, zero or more.")
    return float(value) if dot else int(value)


def one_of(name: str, choices: tuple[str, ...], default: str) -> str:
    """Return one of `choices`."""
    value = text(name, default).strip()
    if value not in choices:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}.")
    return value


def words(name: str, default: str | None = None) -> list[str]:
    """Return a list, written with commas between its items."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def site(name: str) -> str:
    """Return the URL of a site: scheme and host, and a port if need be."""
    value = text(name)
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ImproperlyConfigured(f"{name} must be a URL such as https://example.org.")
    return value


def line(name: str, default: str) -> str:
    """Return a line of text that fits in the header of a page."""
    value = text(name, default).strip()
    if len(value) > 60 or not value.isprintable():
        raise ImproperlyConfigured(f"{name} must be one line of at most 60 characters.")
    return value


def email(name: str) -> str:
    """Return an email, or "" if there is none."""
    value = text(name, "").strip()
    try:
        if value:
            validate_email(value)
    except ValidationError:
        raise ImproperlyConfigured(f"{name} must be an email such as help@example.org.") from None
    return value


def contact(name: str, email: str) -> str:
    """Return the URI of a contact, by default that of `email` if there is one."""
    value = text(name, email and f"mailto:{email}").strip()
    if value and not (value.startswith(("mailto:", "https://", "tel:")) and value.isprintable() and " " not in value):
        raise ImproperlyConfigured(f"{name} must be a URI such as mailto:security@example.org or https://example.org/.")
    return value


def links(name: str) -> list[tuple[str, str]]:
    """Return titles and URLs, written as `Imprint=/imprint/,Privacy=https://example.org/privacy`."""
    pairs = [tuple(map(str.strip, word.partition("=")[::2])) for word in words(name, "")]
    if not all(title and url.startswith(("/", "https://", "mailto:")) for title, url in pairs):
        raise ImproperlyConfigured(
            f"{name} must be links such as Imprint=/imprint/,Privacy=https://example.org/privacy."
        )
    return [(title, url) for title, url in pairs]


def colour(name: str) -> str:
    """Return a colour such as #0b6e5f that words and buttons can have, or "" if there is none."""
    value = text(name, "").strip().lower()
    if value and not re.fullmatch("#[0-9a-f]{6}", value):
        raise ImproperlyConfigured(f"{name} must be a colour such as #0b6e5f.")
    try:
        palette(value)
    except TooFaint as reason:
        raise ImproperlyConfigured(f"{name} {reason}") from None
    return value


def providers(name: str) -> list[Parts]:
    """Return the providers that people can sign in with, from JSON or from a file with it.

    The secret of each is in a variable of its own, such as PROVIDER_GOOGLE_SECRET.
    """
    value = text(name, "[]").strip()
    try:
        found = json.loads(value if value.startswith("[") else Path(value).read_text())
        reason = next(configuration.problems(found, secrets=False), "")
    except (OSError, ValueError, RecursionError) as error:
        reason = str(error)
    if reason:
        raise ImproperlyConfigured(f"{name} must be JSON as in docs/howto/providers.md: {reason}.")
    return [{**each, "client_secret": text(f"PROVIDER_{each['name'].upper()}_SECRET")} for each in found]


def folder(name: str) -> Path | None:
    """Return a folder, or None if there is none."""
    if not is_set(name):
        return None
    value = Path(text(name))
    if not (value.is_absolute() and value.is_dir()):
        raise ImproperlyConfigured(f"{name} must be the absolute path of a folder.")
    return value


def logo(name: str, static: Path | None) -> tuple[str, int] | None:
    """Return the name of a picture among the static files of one's own, and its width in the header."""
    if not is_set(name):
        return None
    value = text(name).strip()
    try:
        width, height = _picture_size(((static or Path(os.devnull)) / value).read_bytes())
        if not 0 < width <= WIDEST_LOGO * height:
            raise ValueError
    except (OSError, ValueError):
        raise ImproperlyConfigured(
            f"{name} must be a PNG, or an SVG with a viewBox, in SITE_DIR/static, "
            f"at most {WIDEST_LOGO} times as wide as high."
        ) from None
    return value, round(LOGO_HEIGHT * width / height)


def _picture_size(data: bytes) -> tuple[float, float]:
    """Return width and height, so that the page does not move once the picture is there. Raise ValueError."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and len(data) > 24:
        width, height = unpack(">II", data[16:24])
    else:
        found = re.search(r"""viewBox=["']([-\d.,\s]{7,80})["']""", data.decode())
        _, _, width, height = map(float, found[1].replace(",", " ").split()) if found else (0, 0, 0, 0)
    return width, height


def database(name: str) -> Parts:
    """Return the settings of a database; its query may set those of Django, such as `?CONN_MAX_AGE=0`."""
    parts = _url(name, Env.db_url_config, Env.DB_SCHEMES, "postgres://user:password@host/name")
    for option in DATABASE_SWITCHES & parts.keys():
        parts[option] = _boolean(f"{name}: {option}", str(parts[option]))
    return parts


def deadlines(name: str, database: Parts) -> Parts:
    """Take the deadlines for requests out of the options of `database`, and return them with those by default."""
    options = database.get("OPTIONS", {})
    found = {key: options.pop(key, value) for key, value in DEADLINES.get(database["ENGINE"], {}).items()}
    for key, value in found.items():
        if not re.fullmatch("[0-9]+(ms|s|min)?", str(value)):
            raise ImproperlyConfigured(f"{name}: {key} must be a time such as 20s.")
    if found:
        database["OPTIONS"] = {"connect_timeout": CONNECT_TIMEOUT, **options}
    return found


def cache(name: str, default: str | None = None) -> Parts:
    """Return the settings of a cache."""
    return _url(name, Env.cache_url_config, Env.CACHE_SCHEMES, "redis://host:6379/0", default)


def mailer(name: str, default: str) -> Parts:
    """Return BACKEND and OPTIONS of a mailer, as Django 6.1 has them in MAILERS.

    `filemail://` writes one file for each message and shows it on the console (project/email_backend.py).
    """
    parts = _url(name, Env.email_url_config, Env.EMAIL_SCHEMES, "smtp+tls://user:password@host:587", default)
    backend = parts["EMAIL_BACKEND"]
    options = {
        option: parts[key] for option, key in MAIL_OPTIONS.get(backend, {}).items() if parts.get(key) is not None
    }
    return {"BACKEND": backend, "OPTIONS": options | {"timeout": MAIL_TIMEOUT} if "host" in options else options}


def _url(
    name: str, parse: Callable[[str], Parts], schemes: dict[str, str], example: str, default: str | None = None
) -> Parts:
    # The value is left out of the message because it may contain a password.
    refusal = ImproperlyConfigured(f"{name} must be a URL such as {example}.")
    value = text(name, default)
    try:
        if urlsplit(value).scheme not in schemes and value != "sqlite://:memory:":
            raise refusal
        return parse(value)
    except ValueError:
        raise refusal from None
