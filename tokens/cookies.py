"""The cookies: read strictly, and written with all their attributes in one place."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponseBase

from .conf import conf


def access_name() -> str:
    return "__Host-access" if conf.cookie_secure else "access"


def refresh_name() -> str:
    return "__Host-refresh" if conf.cookie_secure else "refresh"


def probe_name() -> str:
    return "__Host-probe" if conf.cookie_secure else "probe"


def read(request: HttpRequest, name: str) -> str | None:
    """The value of the cookie `name`; see `read_all`."""
    return read_all(request, name)[0]


def read_all(request: HttpRequest, *names: str) -> list[str | None]:
    """The values of these cookies, each None unless the Cookie header holds exactly one, by exactly its name.

    `request.COOKIES` will not do: it strips Unicode spaces off names and lets the last of two win, so that a
    neighbour on the domain who may not set `__Host-access` sets `\\u2000__Host-access` and is taken for it.
    """
    found: dict[str, str | None] = {}
    for part in _header(request).split(";"):
        name, _, value = part.lstrip(" ").partition("=")
        found[name] = None if name in found else value or None
    return [found.get(name) for name in names]


def write(response: HttpResponseBase, *, access: str, refresh: str | None, max_age: int | None) -> None:
    """Sets the access cookie, and the refresh cookie if there is a new one; `max_age` (seconds) makes it outlive
    the browser. The access cookie never does: a browser that was closed comes back by its refresh cookie."""
    _set(response, access_name(), access)
    if refresh is not None:
        _set(response, refresh_name(), refresh, max_age=max_age)


def delete(response: HttpResponseBase) -> None:
    """Takes both cookies away."""
    _unset(response, access_name())
    _unset(response, refresh_name())


def write_probe(response: HttpResponseBase, value: str, max_age: int) -> None:
    _set(response, probe_name(), value, max_age=max_age)


def delete_probe(response: HttpResponseBase) -> None:
    _unset(response, probe_name())


def _unset(response: HttpResponseBase, name: str) -> None:
    """A deletion must carry the attributes that the cookie was set with."""
    _set(response, name, "", max_age=0, expires="Thu, 01 Jan 1970 00:00:00 GMT")


def _set(response: HttpResponseBase, name: str, value: str, **until: Any) -> None:
    response.set_cookie(name, value, path="/", secure=conf.cookie_secure, httponly=True, samesite="Lax", **until)


def _header(request: HttpRequest) -> str:
    """The Cookie header as it came, each octet one character. Under ASGI Django joins several headers by a comma,
    which is no separator of cookies; HTTP/2 may send several."""
    scope = getattr(request, "scope", None)
    if scope is None:
        return str(request.META.get("HTTP_COOKIE", ""))
    return b"; ".join(value for name, value in scope["headers"] if name.lower() == b"cookie").decode("latin-1")
