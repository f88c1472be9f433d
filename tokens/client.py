"""Where a request comes from, as lists of sessions and events show it."""

from __future__ import annotations

from ipaddress import ip_address as parse_ip_address

from django.http import HttpRequest

OTHER = "other"

# The first that fits wins: most browsers call themselves by the names of others as well.
BROWSERS = {
    "edge": ("Edg",),
    "opera": ("OPR/",),
    "samsung": ("SamsungBrowser/",),
    "firefox": ("Firefox/", "FxiOS/"),
    "chrome": ("Chrome/", "CriOS/"),
    "safari": ("Safari/",),
}


def ip_address(request: HttpRequest) -> str | None:
    """Return the client's IP address without a zone; None where the server knows none (a unix socket).

    Behind proxies, whoever knows how many to trust sets REMOTE_ADDR before.
    """
    try:
        return str(parse_ip_address(request.META.get("REMOTE_ADDR", "").partition("%")[0]))
    except ValueError:
        return None


def user_agent(request: HttpRequest) -> str:
    """Return what the browser says it is: at most 300 characters, all of them printable."""
    return "".join(filter(str.isprintable, request.headers.get("User-Agent", "")))[:300]


def browser_of(user_agent: str) -> str:
    """Return a key of BROWSERS, or OTHER: for filters. A program may call itself anything, so it proves nothing."""
    found = (name for name, parts in BROWSERS.items() if any(part in user_agent for part in parts))
    return next(found, OTHER)
