"""What browsers, password managers and the keyboards of phones are told of a field: it follows from what it is for."""

from typing import Any

from django import forms
from django.forms.renderers import DjangoTemplates

# By `autocomplete`. A phone would write a name with a capital, and correct it; and some send what they spell elsewhere.
_HABITS = {
    "username": {"autocapitalize": "none", "spellcheck": "false"},
    "email": {"autocapitalize": "none", "spellcheck": "false"},
    "one-time-code": {"autocapitalize": "none", "spellcheck": "false", "inputmode": "numeric"},
    "given-name": {"autocapitalize": "words", "spellcheck": "false"},
    "family-name": {"autocapitalize": "words", "spellcheck": "false"},
}
_TYPED = {"text", "email", "password"}  # on a keyboard, whose Enter key has a word on it


class BoundField(forms.BoundField):
    """Django's, which knows of each field what stands beside it."""

    def build_widget_attrs(self, attrs: Any, widget: forms.Widget | None = None) -> dict[str, str | bool]:
        widget = widget or self.field.widget
        built: dict[str, str | bool] = super().build_widget_attrs(attrs, widget)
        own = {**widget.attrs, **built}
        use = own.get("autocomplete", "").partition(" ")[0]
        return {**_HABITS.get(use, {}), **self._enter_key(), **own, **self._focus()}

    def _enter_key(self) -> dict[str, str]:
        """It goes on to the next field, or sends the form."""
        typed = [field for field in self.form.visible_fields() if _is_typed(field.field.widget)]
        if self not in typed:
            return {}
        return {"enterkeyhint": "go" if self is typed[-1] else "next"}

    def _focus(self) -> dict[str, bool]:
        """In a form that was refused: the first field that is wrong. Where it is none of them, what is wrong with the
        whole has it (templates/_form_errors.html)."""
        if not (self.form.is_bound and self.form.errors):
            return {}
        return {"autofocus": self is next((field for field in self.form.visible_fields() if field.errors), None)}


class Renderer(DjangoTemplates):
    """For FORM_RENDERER: every form has these fields, those of packages and of the admin too."""

    bound_field_class = BoundField


def _is_typed(widget: forms.Widget) -> bool:
    return getattr(widget, "input_type", "") in _TYPED
