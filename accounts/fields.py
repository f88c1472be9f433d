"""Tell browsers, password managers and the keyboards of phones how to fill in a field, by what the field is for."""

from typing import Any

from django import forms
from django.forms.renderers import DjangoTemplates

# Attributes by `autocomplete`. Phones capitalise and correct names, and some send what they check to a server.
_KEYBOARD_ATTRS = {
    "username": {"autocapitalize": "none", "spellcheck": "false"},
    "email": {"autocapitalize": "none", "spellcheck": "false"},
    "one-time-code": {"autocapitalize": "none", "spellcheck": "false", "inputmode": "numeric"},
    "given-name": {"autocapitalize": "words", "spellcheck": "false"},
    "family-name": {"autocapitalize": "words", "spellcheck": "false"},
}
_TYPED = {"text", "email", "password"}  # input types with a keyboard, whose Enter key has a label


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
