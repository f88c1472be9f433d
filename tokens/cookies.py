"""The cookies: read strictly, and set and deleted with all their attributes in one place."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponseBase

from .conf import CookieKind, conf


def name_of(kind: CookieKind) -> str:
    """Return the full name of a cookie, such as `__Host-access`."""
    return conf.cookie_names[kind]


def read_all(request: HttpRequest) -> dict[str, str | None]:
    """Return the cookies by their exact names; None for one that is empty or was sent more than once.

    `request.COOKIES` will not do: it strips Unicode spaces off names and lets the last of two win, so that a
    neighbour on the domain who may not set `__Host-access` sets `\\u2000__Host-access` and is taken for it.
    """
    found: dict[str, str | None] = {}
    scope = getattr(request, "scope", None)
    header = request.META.get("HTTP_COOKIE", "") if scope is None else _joined(scope)
    for part in header.split(";"):
        name, _, value = part.partition("=")
        name = name.lstrip(" ")
        found[name] = None if name in found else value or None
    return found


def write_tokens(response: HttpResponseBase, *, access: str, refresh: str | None, max_age: int | None) -> None:
    """Set the access cookie, and the refresh cookie if there is a new one.

    `max_age` (seconds) makes the refresh cookie outlive the browser. The access cookie never does: a browser that was
    closed comes back with its refresh cookie.
    """
    write(response, "access", access)
    if refresh is not None:
        write(response, "refresh", refresh, max_age)


def write(response: HttpResponseBase, kind: CookieKind, value: str, max_age: int | None = None) -> None:
    """Set a cookie, for `max_age` seconds or until the browser is closed."""
    _set(response, kind, value, max_age=max_age)


def delete(response: HttpResponseBase, *kinds: CookieKind) -> None:
    """Delete these cookies with the attributes they were set with, as browsers demand."""
    for kind in kinds:
        _set(response, kind, "", max_age=0, expires="Thu, 01 Jan 1970 00:00:00 GMT")


def _set(
    response: HttpResponseBase, kind: CookieKind, value: str, max_age: int | None = None, expires: str | None = None
) -> None:
    response.set_cookie(
        name_of(kind),
        value,
        max_age=max_age,
        expires=expires,
        path="/",
        secure=conf.cookie_secure,
        httponly=True,
        samesite="Lax",
    )


def _joined(scope: dict[str, Any]) -> str:
    """Return the Cookie header as it was sent under ASGI, each octet one character.

    HTTP/2 may send several. Django joins them with a comma, which does not separate cookies.
    """
    return b"; ".join(value for name, value in scope["headers"] if name.lower() == b"cookie").decode("latin-1")
