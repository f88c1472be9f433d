"""No secret stands in the log. Nobody writes one there; should somebody all the same, it is taken out here."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest

PLACE = "[redacted]"

_NAMES = r"(?:\w*password\w*|\w*passwd|\w*secret\w*|\w*token|\w*session(?:id)?|\w*cookie|csrf\w*|device)"
_PATTERNS = (
    (re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*"), PLACE),  # a JWT
    (re.compile(r"[\w.~+/-]+=*:[A-Za-z0-9]{6,}:[\w-]{27,}"), PLACE),  # what Django has signed
    (re.compile(r"\b(?:argon2|pbkdf2_\w+|scrypt|bcrypt\w*)\$[^\s'\"]+"), PLACE),  # the hash of a password
    (re.compile(r"(?i)\b((?:set-)?cookie|(?:proxy-)?authorization)(['\"]?\s*[:=]\s*)[^\n]+"), rf"\1\2{PLACE}"),
    (re.compile(r"(?i)\b(bearer|basic) [\w.~+/-]+=*"), rf"\1 {PLACE}"),
    (
        re.compile(rf"(?i)\b({_NAMES}['\"]?(?:\s*=\s*|(?<=['\"])\s*:\s*))(?:\"[^\"]*\"|'[^']*'|[^\s&,;'\"]+)"),
        rf"\1{PLACE}",
    ),
    (re.compile(r"(?i)\b(code\W{1,4})\d{6}\b"), rf"\1{PLACE}"),
    (re.compile(r"://[^/\s:@]*:[^/\s@]+@"), f"://{PLACE}@"),
    # A part of an address that is long enough to be a secret, as the links in mails have one; not the id of a row.
    (re.compile(r"(?<=/)(?![\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\b)[\w-]{32,}(?=[/?#\s'\"]|$)"), PLACE),
    (re.compile(r"\b(?=[\w-]*\d)(?=[\w-]*[a-z])(?=[\w-]*[A-Z])[\w-]{40,}"), PLACE),  # whatever else looks drawn
)
_SECRET_FIELD = re.compile("password|token|code|secret", re.I)
_SHORTEST = 6  # characters; what is shorter is a word like any other


def redacted(text: str, known: Iterable[str] = ()) -> str:
    """`text` without the secrets that are `known`, and without what looks like one."""
    for secret in sorted(known, key=len, reverse=True):
        text = text.replace(secret, PLACE)
    for pattern, place in _PATTERNS:
        text = pattern.sub(place, text)
    return text


def secrets_of(request: HttpRequest | None) -> set[str]:
    """Those of the settings, and those that `request` brought: its cookies, its credentials, and what was typed into a
    field for a password or a code."""
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
    """Nothing is read from the request that had not been read before: its body may still be on its way."""
    if request is None:
        return
    found: list[Any] = list(getattr(request, "COOKIES", {}).values())
    found.append(request.META.get("HTTP_AUTHORIZATION", "").partition(" ")[2])
    form = getattr(request, "_post", None) or {}
    found += [form[name] for name in form if _SECRET_FIELD.search(name)]
    yield from filter(_is_long, found)


def _is_long(secret: Any) -> bool:
    return isinstance(secret, str) and len(secret) >= _SHORTEST
