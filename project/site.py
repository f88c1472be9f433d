"""Serve what browsers and programs look for at fixed places of a site. It reads no cookie and sets none.

What is whose is in the settings: SITE_NAME, SITE_ACCENT, SECURITY_CONTACT and so on (docs/howto/make-it-yours.md).
"""

from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from project.colours import palette
from tokens.decorators import anonymous_only

SECURITY_TXT_LIFETIME = timedelta(days=180)  # RFC 9116 §2.5.5 recommends less than a year


def _for_everybody(view: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    return require_safe(cache_control(public=True, max_age=24 * 3600)(login_not_required(anonymous_only(view))))


@_for_everybody
def site_css(request: HttpRequest) -> HttpResponse:
    """Return the colours of SITE_ACCENT, for the pages and the admin; the link to it names the accent."""
    if not settings.SITE_ACCENT:
        raise Http404
    colours = palette(settings.SITE_ACCENT)
    names = {"accent": "accent", "accent-strong": "strong", "on-accent": "on", "tint": "tint"}
    pairs = {name: (getattr(colours.light, part), getattr(colours.dark, part)) for name, part in names.items()}
    rules = ";".join(f"--{name}:light-dark({light},{dark})" for name, (light, dark) in pairs.items())
    return HttpResponse(f"html:root{{{rules}}}", content_type="text/css")


@_for_everybody
def favicon(request: HttpRequest) -> HttpResponse:
    """Redirect browsers that look for it here, for a page that is not ours, say, to the icon among the static files."""
    return HttpResponsePermanentRedirect(f"{settings.STATIC_URL}img/favicon.ico")


@_for_everybody
def apple_touch_icon(request: HttpRequest) -> HttpResponse:
    """Redirect to the icon for the home screens of phones."""
    return HttpResponsePermanentRedirect(f"{settings.STATIC_URL}img/apple-touch-icon.png")


@_for_everybody
def robots_txt(request: HttpRequest) -> HttpResponse:
    """Keep search engines to the pages that are for everybody."""
    return HttpResponse(render_to_string("robots.txt"), content_type="text/plain")


@_for_everybody
def security_txt(request: HttpRequest) -> HttpResponse:
    """Tell those who have found a hole whom to write to (RFC 9116), if SECURITY_CONTACT or SUPPORT_EMAIL says so."""
    if not settings.SECURITY_CONTACT:
        raise Http404
    expires = (timezone.now() + SECURITY_TXT_LIFETIME).strftime("%Y-%m-%dT00:00:00Z")
    canonical = f"{settings.TOKENS_ISSUER.rstrip('/')}/.well-known/security.txt"
    lines = {"Contact": settings.SECURITY_CONTACT, "Expires": expires, "Canonical": canonical}
    return HttpResponse(
        "".join(f"{name}: {value}\n" for name, value in lines.items()), content_type="text/plain; charset=utf-8"
    )
