"""Where a request comes from, as lists of sessions and events show it."""

from __future__ import annotations

from ipaddress import ip_address

from django.http import HttpRequest


def address(request: HttpRequest) -> str | None:
    """The visitor's address, without the zone of a link-local one; None where the server tells none (a unix socket).

    Behind proxies, whoever knows how many to trust sets REMOTE_ADDR before.
    """
    try:
        return str(ip_address(request.META.get("REMOTE_ADDR", "").partition("%")[0]))
    except ValueError:
        return None


def user_agent(request: HttpRequest) -> str:
    """What the browser says it is: at most 300 characters, and none that cannot be seen."""
    return "".join(filter(str.isprintable, request.headers.get("User-Agent", "")))[:300]
