"""Tell every template whose site it is, mails and error pages too: it needs no request, and no {% load %}."""

from django import template
from django.conf import settings

from project.colours import palette

register = template.Library()


@register.simple_tag
def site(part: str) -> object:
    """Return the name of the site, its logo, its accent, ..., as the environment has them: {% site "name" %}."""
    if part == "palette":
        return palette(settings.SITE_ACCENT)
    named = {"support": "SUPPORT_EMAIL", "path": "FORCE_SCRIPT_NAME"}
    return getattr(settings, named.get(part, f"SITE_{part.upper()}")) or ""
