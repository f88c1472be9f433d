"""Tell where Cancel leads, back to the page of this site that one came from, and where one goes on to.

That is what the form carries in `next`, for after a mistake the page comes from itself; at first it is the Referer. A
link back sends none (templates/_cancel.html), or two pages that link to each other would be a circle.
"""

from urllib.parse import urlsplit

from django import template
from django.http import HttpRequest
from django.template import Context
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.security.next_url import leading_to, next_url

register = template.Library()


def came_from(request: HttpRequest) -> str:
    """Return path and query of the page that led here, or "" if it is none of ours, this one or the sign-in page."""
    for url in (request.POST.get("next", ""), request.headers.get("Referer", "")):
        if url_has_allowed_host_and_scheme(url, {request.get_host()}, request.is_secure()):
            page = urlsplit(url)._replace(scheme="", netloc="")
            is_other = page.path not in (request.path, reverse("login"))
            if is_other and url_has_allowed_host_and_scheme(page.geturl(), None):  # or "//elsewhere" would be a path
                return page.geturl()
    return ""


@register.simple_tag(takes_context=True)
def way_back(context: Context, default: str = "") -> str:
    """Return the way back to where one came from, or to the page of the name `default`, or to this one."""
    request = context["request"]
    return came_from(request) or (reverse(default) if default else request.get_full_path())


@register.simple_tag(takes_context=True)
def onward(context: Context, name: str) -> str:
    """Return the URL of the page `name`, which leads on to where this page does: to `next`."""
    return leading_to(name, next_url(context["request"]))


@register.simple_tag(takes_context=True)
def destination(context: Context, default: str) -> str:
    """Return where this page leads on to: to `next`, or to the page `default`."""
    return next_url(context["request"], default)
