"""Tell browsers, password managers and the keyboards of phones how to fill in a field, by what the field is for."""

from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.forms.renderers import DjangoTemplates
from django.forms.utils import flatatt
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.security.normalization import normalize_name

# Attributes by `autocomplete`. Phones capitalise and correct names, and some send what they check to a server.
_KEYBOARD_ATTRS = {
    "username": {"autocapitalize": "none", "spellcheck": "false"},
    "email": {"autocapitalize": "none", "spellcheck": "false"},
    "one-time-code": {"autocapitalize": "none", "spellcheck": "false", "inputmode": "numeric"},
    "given-name": {"autocapitalize": "words", "spellcheck": "false"},
    "family-name": {"autocapitalize": "words", "spellcheck": "false"},
}
_TYPED = {"text", "email", "password"}  # input types with a keyboard, whose Enter key has a label

# Zones named after a place. The others, such as "EST" and "Etc/GMT+5", are there for programs.
_CONTINENTS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")


@lru_cache(maxsize=1)
def time_zones() -> list[str]:
    """Return the names of the time zones to choose from."""
    return sorted(name for name in available_timezones() if name.startswith(tuple(f"{part}/" for part in _CONTINENTS)))


class NameField(forms.CharField):
    """Ask for a name that is shown among other words, which it must not turn around."""

    def to_python(self, value: Any) -> Any:
        return normalize_name(super().to_python(value) or "")


class TimeZoneSelect(forms.Select):
    """Write five hundred options as short as HTML may be: Django's widget alone would weigh more than a page may."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        attrs = flatatt(self.build_attrs(self.attrs, {**(attrs or {}), "name": name}))
        options = ((SafeString(" selected" if zone == value else ""), zone) for zone in time_zones())
        empty = timezone.get_default_timezone_name()
        return format_html(
            '<select{}><option value="">{}{}</select>', attrs, empty, format_html_join("", "<option{}>{}", options)
        )


class TimeZoneField(forms.ChoiceField):
    """Ask for a time zone; empty stands for the site's."""

    widget = TimeZoneSelect

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=lambda: [("", ""), *((name, name) for name in time_zones())], **kwargs)


class BoundField(forms.BoundField):
    """Add attributes to the widget of a field that depend on its purpose and on the other fields of the form."""

    def build_widget_attrs(self, attrs: Any, widget: forms.Widget | None = None) -> dict[str, str | bool]:
        """Return Django's attributes and ours; what the widget sets itself takes precedence."""
        widget = widget or self.field.widget
        built: dict[str, str | bool] = super().build_widget_attrs(attrs, widget)
        own = {**widget.attrs, **built}
        use = own.get("autocomplete", "").partition(" ")[0]
        return {**_KEYBOARD_ATTRS.get(use, {}), **self._enter_key(), **own, **self._focus()}

    def _enter_key(self) -> dict[str, str]:
        """Return the hint that labels the Enter key: it goes to the next field, or submits the form."""
        typed = [field for field in self.form.visible_fields() if _is_typed(field.field.widget)]
        if self not in typed:
            return {}
        return {"enterkeyhint": "go" if self is typed[-1] else "next"}

    def _focus(self) -> dict[str, bool]:
        """Return `autofocus` for the first invalid field of a form that was rejected.

        If none of the fields is invalid, the errors of the form as a whole have the focus
        (templates/_form_errors.html).
        """
        if not (self.form.is_bound and self.form.errors):
            return {}
        return {"autofocus": self is next((field for field in self.form.visible_fields() if field.errors), None)}


class Renderer(DjangoTemplates):
    """Render every form with these fields, those of packages and of the admin too (FORM_RENDERER)."""

    bound_field_class = BoundField


def _is_typed(widget: forms.Widget) -> bool:
    """Return whether the widget is filled in with a keyboard."""
    return getattr(widget, "input_type", "") in _TYPED
