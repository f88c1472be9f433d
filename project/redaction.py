"""Keep secrets out of the log. No code logs one on purpose; if one gets there all the same, it is removed here."""

import re
from collections.abc import Iterable, Iterator
from functools import cache

from django.conf import settings
from django.http import HttpRequest

PLACE = "[redacted]"

# What this site makes and whoever holds it could use. Each takes time in proportion to the text, whatever is in it.
_PATTERNS = (
    re.compile(r"eyJ[\w.-]{16,}"),  # a JWT, or what is left of one
    re.compile(r"\b(?:argon2|pbkdf2_\w{1,20}|scrypt|bcrypt\w{0,20})\$[^\s'\"]+"),  # the hash of a password
    # A part of a path that is long enough to be a secret, as the links in mails have one; not the id of a row.
    re.compile(r"(?<=/)(?![\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\b)[\w-]{32,}(?=[/?#\s'\"]|$)"),
)
LONGEST = 32 * 1024  # characters of one text; a traceback of any use is shorter
_SECRET_FIELD = re.compile("password|token|code|secret", re.I)
_SHORTEST = 6  # characters; what is shorter is a word like any other


def redacted(text: str, known: Iterable[str] = ()) -> str:
    """Return `text` without the `known` secrets, without what looks like one of ours, and cut to LONGEST."""
    for secret in sorted(known, key=len, reverse=True):
        text = text.replace(secret, PLACE)
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}…"
    for pattern in _PATTERNS:
        text = pattern.sub(PLACE, text)
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
    return isinstance(secret, str) and len(secret) >= _SHORTEST
