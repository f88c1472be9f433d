"""The cookies: read strictly, and set and deleted with all their attributes in one place."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponseBase

from .conf import CookieKind, conf


def name_of(kind: CookieKind) -> str:
    """Return the full name of a cookie, such as `__Host-access`."""
    return conf.cookie_names[kind]


def read(request: HttpRequest, name: str) -> str | None:
    """Return the value of the cookie `name`; None unless the header holds exactly one by exactly its name."""
    return read_all(request).get(name)


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


def write(response: HttpResponseBase, *, access: str, refresh: str | None, max_age: int | None) -> None:
    """Set the access cookie, and the refresh cookie if there is a new one.

    `max_age` (seconds) makes the refresh cookie outlive the browser. The access cookie never does: a browser that was
    closed comes back with its refresh cookie.
    """
    _set(response, "access", access)
    if refresh is not None:
        _set(response, "refresh", refresh, max_age=max_age)


def delete(response: HttpResponseBase) -> None:
    """Delete the cookies of a session."""
    _unset(response, "access")
    _unset(response, "refresh")
    _unset(response, "reauth")


def write_reauth(response: HttpResponseBase, value: str, max_age: timedelta) -> None:
    _set(response, "reauth", value, max_age=int(max_age.total_seconds()))


def write_probe(response: HttpResponseBase, kind: CookieKind, value: str, max_age: int) -> None:
    _set(response, kind, value, max_age=max_age)


def write_bound(response: HttpResponseBase, value: str, max_age: int) -> None:
    _set(response, "bound", value, max_age=max_age)


def delete_bound(response: HttpResponseBase) -> None:
    _unset(response, "bound")


def write_unproven(response: HttpResponseBase, max_age: int) -> None:
    """Note that this browser was just made to prove the key of its session."""
    _set(response, "unproven", "1", max_age=max_age)


def delete_probe(response: HttpResponseBase, kind: CookieKind) -> None:
    _unset(response, kind)


def _unset(response: HttpResponseBase, kind: CookieKind) -> None:
    """Delete a cookie with the attributes it was set with, as browsers demand."""
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
