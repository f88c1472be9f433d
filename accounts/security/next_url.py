"""Carry along where the user wanted to go, in `next`, as Django's sign-in does."""

from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme


def next_url(request: HttpRequest, default: str = "") -> str:
    """Return `next` of the query if it is a page of this site, else the URL of the page `default`, if there is one."""
    return own_url(request, request.GET.get("next", "")) or (reverse(default) if default else "")


def own_url(request: HttpRequest, url: str) -> str:
    """Return `url` if it is a page of this site, else ""."""
    own = url_has_allowed_host_and_scheme(url, request.get_host(), require_https=request.is_secure())
    # No database stores a NUL, and Django would look for a view that is called by a word without a slash.
    return url if own and url.isprintable() and "/" in url else ""


def asked_for(request: HttpRequest) -> str:
    """Return the page that `request` is for, to come back to; "" if it would do something."""
    return request.get_full_path() if request.method in ("GET", "HEAD") else ""


def leading_to(name: str, url: str) -> str:
    """Return the URL of the page `name`, which leads on to `url`, if there is one."""
    return f"{reverse(name)}?{urlencode({'next': url})}" if url else reverse(name)
