"""Tell moments in the zone of the profile, in an element that static/js/times.js puts into the reader's own zone."""

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

# As the script knows them, and Django.
_FORMATS = {
    "time": "TIME_FORMAT",
    "day": "MONTH_DAY_FORMAT",
    "date": "DATE_FORMAT",
    "moment": "DATETIME_FORMAT",
}


@register.filter
def local(moment: datetime, style: str) -> SafeString:
    """Return `moment` as a <time> in this style. Its offset is that of the words, so the script sees whether to act."""
    moment = timezone.localtime(moment)
    words = date_format(moment, _FORMATS[style])
    return format_html('<time datetime="{}" data-as="{}">{}</time>', isoformat(moment), style, words)


@register.filter
def isoformat(moment: datetime) -> str:
    """Return `moment` for an attribute `datetime`: to the minute, with its offset."""
    return timezone.localtime(moment).isoformat(timespec="minutes")
