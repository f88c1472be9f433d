"""Define the forms of second factors."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.factors import codes, policy, totp
from accounts.models import Attempt
from accounts.types import Request


class CodeField(forms.CharField):
    """Ask for a code of an authenticator app, or for a recovery code."""

    def __init__(self, inputmode: str = "text", **kwargs: Any) -> None:
        # A recovery code has letters, so the keyboard is one for text unless the caller knows better.
        attrs = {"autocomplete": "one-time-code", "autofocus": True, "inputmode": inputmode}
        super().__init__(max_length=100, widget=forms.TextInput(attrs=attrs), **kwargs)

    def clean(self, value: object) -> str:
        """Return what may be a code. Whatever else was typed costs no try."""
        given: str = super().clean(value)
        if not codes.is_code(given):
            raise forms.ValidationError(_("Enter the 6-digit code, or a recovery code."), code="no_code")
        return given


class CanAddPasskeyField(forms.BooleanField):
    """Note whether the browser can make a passkey on its own device, which static/js/passkeys.js fills in."""

    def __init__(self) -> None:
        super().__init__(required=False, widget=forms.HiddenInput(attrs={"data-platform": True}))


class SecondFactorForm(forms.Form):
    """Ask whoever has given their password for a code, and count the tries of the attempt."""

    code = CodeField(label=gettext_lazy("Code"))
    trust = forms.BooleanField(label=gettext_lazy("Don't ask again in this browser for 30 days"), required=False)
    can_add_passkey = CanAddPasskeyField()

    def __init__(self, *args: Any, request: Request, attempt: Attempt, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        self.attempt = attempt
        self.amr: tuple[str, ...] = (codes.OTP,)
        self.acr = ""
        if policy.is_required(attempt.user):  # whom no trusted browser spares
            self.fields.pop("trust", None)

    def clean_code(self) -> str:
        """Return the code, having used it up."""
        code: str = self.cleaned_data["code"]
        codes.count(self.request, self.attempt.user, code)
        if not Attempt.objects.filter(pk=self.attempt.pk).use_try():
            raise forms.ValidationError(used_up(), code="used_up")
        if not codes.spend(self.request, self.attempt.user, code):
            self.attempt.refresh_from_db(self.attempt._state.db, ["tries"])
            raise forms.ValidationError(wrong_code(self.attempt.tries_left), code="wrong_code")
        return code


class AuthenticatorForm(forms.Form):
    """Ask for a code of the app that was just set up; the secret travels along, encrypted."""

    plain_secret = ""
    counter: int | None = None

    secret = forms.CharField(widget=forms.HiddenInput)
    code = CodeField(inputmode="numeric", label=gettext_lazy("6-digit code"))

    def __init__(self, *args: Any, request: Request, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean(self) -> dict[str, Any]:
        """Keep the secret and the time step of the code, which then counts as used."""
        cleaned = super().clean() or self.cleaned_data
        self.plain_secret = totp.decrypt(cleaned.get("secret", ""), until_confirmed_by=self.request.user) or ""
        if "code" in cleaned:
            self.counter = totp.matching_counter(self.plain_secret, cleaned["code"]) if self.plain_secret else None
            if self.counter is None:
                self.add_error("code", _("That's not the code. Check that the time on your phone is right."))
        return cleaned


def wrong_code(left: int) -> str:
    """Return what to say about a wrong code when there are `left` more tries."""
    if not left:
        return used_up()
    words = ngettext(
        "That's not the code. You have %(n)d try left.", "That's not the code. You have %(n)d tries left.", left
    )
    return words % {"n": left}


def used_up() -> str:
    """Return what to say when there are no more tries."""
    return _("You've entered too many wrong codes. Please sign in again.")
