"""Let the page that offers a passkey have the browser make it."""

from django import template
from django.template import Context

from accounts.factors import passkey_offer

register = template.Library()


@register.simple_tag(takes_context=True)
def unasked_passkey_options(context: Context) -> str:
    """Return the options by which the browser may make a passkey unasked; "" if it is not to."""
    return passkey_offer.options(context["request"])
