"""Keep secrets out of the log. No code logs one on purpose; if one gets there all the same, it is removed here."""

import re
from collections.abc import Iterable, Iterator
from functools import cache

from django.conf import settings
from django.http import HttpRequest

PLACEHOLDER = "[redacted]"

# The secrets that this site makes. Each expression runs in linear time, whatever the text contains.
_PATTERNS = (
    re.compile(r"eyJ[\w.-]{16,}"),  # a JWT, or part of one
    re.compile(r"\b(?:argon2|pbkdf2_\w{1,20}|scrypt|bcrypt\w{0,20})\$[^\s'\"]+"),  # the hash of a password
    # A part of a path that is long enough to be a secret, such as those of links in mails, but not the id of a row.
    re.compile(r"(?<=/)(?![\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\b)[\w-]{32,}(?=[/?#\s'\"]|$)"),
)
MAX_LENGTH = 32 * 1024  # characters of one text; any useful traceback is shorter
_SECRET_FIELD = re.compile("password|token|code|secret", re.I)
_MIN_LENGTH = 6  # characters; anything shorter may be an ordinary word


def redacted(text: str, known: Iterable[str] = ()) -> str:
    """Return `text` without the `known` secrets, without what looks like one of ours, and cut to MAX_LENGTH."""
    for secret in sorted(known, key=len, reverse=True):
        text = text.replace(secret, PLACEHOLDER)
    if len(text) > MAX_LENGTH:
        text = f"{text[:MAX_LENGTH]}…"
    for pattern in _PATTERNS:
        text = pattern.sub(PLACEHOLDER, text)
    return text


def secrets_of(request: HttpRequest | None) -> set[str]:
    """Return the secrets of the settings, and those in `request`.

    The latter are its cookies, its credentials, and what was typed into a field for a password or a code.
    """
    return {*_of_settings(), *_of_request(request)} if settings.configured else set()


@cache
def _of_settings() -> frozenset[str]:
    names = ("SECRET_KEY", "METRICS_TOKEN", "EMAIL_HOST_PASSWORD")
    found = [getattr(settings, name, "") for name in names]
    found += [
        *settings.SECRET_KEY_FALLBACKS,
        *(mailer.get("OPTIONS", {}).get("password", "") for mailer in getattr(settings, "MAILERS", {}).values()),
        *(database.get("PASSWORD", "") for database in settings.DATABASES.values()),
    ]
    return frozenset(filter(_is_long, found))


def _of_request(request: HttpRequest | None) -> Iterator[str]:
    """Yield the secrets among what has been read already: the body may still be on its way."""
    if request is None:
        return
    found = list(getattr(request, "COOKIES", {}).values())
    found.append(request.META.get("HTTP_AUTHORIZATION", "").partition(" ")[2])
    form = getattr(request, "_post", None) or {}
    found += [form[name] for name in form if _SECRET_FIELD.search(name)]
    yield from filter(_is_long, found)


def _is_long(secret: object) -> bool:
    return isinstance(secret, str) and len(secret) >= _MIN_LENGTH
