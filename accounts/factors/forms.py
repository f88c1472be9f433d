"""Define the forms of second factors."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.factors import passkeys, recovery_codes, totp
from accounts.factors.models import Attempt, Passkey
from accounts.factors.webauthn import MAX_LENGTH, InvalidResponse, Purpose
from accounts.models import SecurityEvent, User
from accounts.security import throttle
from accounts.security.normalization import normalize_code
from accounts.types import Request

OTP = "otp"  # RFC 8176, for recovery codes too: it has nothing closer


class CodeField(forms.CharField):
    """Ask for a code of an authenticator app, or for a recovery code."""

    def __init__(self, **kwargs: Any) -> None:
        attrs = {"autocomplete": "one-time-code", "autofocus": True, "autocapitalize": "none", "spellcheck": "false"}
        super().__init__(max_length=100, widget=forms.TextInput(attrs=attrs), **kwargs)


class SecondFactorForm(forms.Form):
    """Ask whoever has given their password for a code, and count the tries of the attempt."""

    code = CodeField(label=gettext_lazy("Code"))
    trust = forms.BooleanField(label=gettext_lazy("Don't ask again in this browser for 30 days"), required=False)

    def __init__(self, *args: Any, request: Request, attempt: Attempt, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        self.attempt = attempt
        self.used_recovery_code = False
        self.amr: tuple[str, ...] = (OTP,)
        self.acr = ""

    def clean_code(self) -> str:
        """Return the code, having used it up. Whatever cannot be one costs no try."""
        code: str = self.cleaned_data["code"]
        if not is_code(code):
            raise forms.ValidationError(_("Enter the 6-digit code, or a recovery code."), code="no_code")
        user = self.attempt.user
        limit = throttle.RECOVERY_CODE if recovery_codes.looks_like(code) else throttle.SECOND_FACTOR
        throttle.hit(self.request, limit, user)
        if not Attempt.objects.filter(pk=self.attempt.pk).use_try():
            raise forms.ValidationError(used_up(), code="used_up")
        if not self._spend(user, code):
            SecurityEvent.objects.record(self.request, user, SecurityEvent.Kind.SECOND_FACTOR_FAILED)
            self.attempt.refresh_from_db(fields=["tries"])
            raise forms.ValidationError(wrong_code(self.attempt.tries_left), code="wrong_code")
        throttle.reset(self.request, limit, user)
        return code

    def _spend(self, user: User, code: str) -> bool:
        self.used_recovery_code = recovery_codes.looks_like(code)
        return recovery_codes.spend(user, code) if self.used_recovery_code else totp.spend(user, code)


class PasskeyField(forms.CharField):
    """Take the response of a passkey, which static/js/passkeys.js fills in."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MAX_LENGTH, widget=forms.HiddenInput, **kwargs)


class PasskeySignInForm(forms.Form):
    """Sign in by a passkey alone, which says whose it is. Like Django's AuthenticationForm, it knows the user then.

    There is one message for every failure.
    """

    response = PasskeyField()
    remember = forms.BooleanField(required=False)

    def __init__(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        self.passkey: Passkey | None = None
        self.unknown = ""  # what the browser may learn of a passkey that is of no use

    def clean_response(self) -> str:
        """Return the response, having used it up."""
        response: str = self.cleaned_data["response"]
        throttle.hit(self.request, throttle.PASSKEY)
        try:
            self.passkey = self._used(response)
        except InvalidResponse as error:
            passkeys.log_refusal(error)
            words = _("That passkey didn't work. Try again, or sign in with your password.")
            raise forms.ValidationError(words, code="passkey_refused") from error
        throttle.hit(self.request, throttle.PASSKEY_SIGNED_IN, self.passkey.user)
        throttle.reset(self.request, throttle.PASSKEY)
        return response

    def get_user(self) -> User:
        """Return the user whose passkey it is."""
        assert self.passkey is not None  # noqa: S101  (the form is valid)
        user = self.passkey.user
        user.backend = settings.AUTHENTICATION_BACKENDS[0]  # type: ignore[attr-defined]  # as authenticate() would say
        return user

    def _used(self, response: str) -> Passkey:
        passkey = passkeys.find(response)
        if passkey is None:
            self.unknown = passkeys.unknown(response)
            raise InvalidResponse("No such passkey.")
        if not passkey.user.is_active:
            raise InvalidResponse("The account is closed.")
        passkeys.use(self.request, passkey, response, Purpose.SIGN_IN)
        return passkey


class PasskeyFactorForm(SecondFactorForm):
    """Ask whoever has given their password for one of their passkeys."""

    code = None  # type: ignore[assignment]
    trust = None  # type: ignore[assignment]  # It saves no typing.
    response = PasskeyField()

    def clean_response(self) -> str:
        """Return the response, having used it up. It counts as a try."""
        response: str = self.cleaned_data["response"]
        if not Attempt.objects.filter(pk=self.attempt.pk).use_try():
            raise forms.ValidationError(used_up(), code="used_up")
        try:
            passkey = passkeys.find(response)
            if passkey is None or passkey.user_id != self.attempt.user_id:
                raise InvalidResponse("No such passkey of this user.")
            passkeys.use(self.request, passkey, response, Purpose.SECOND_FACTOR, self.attempt.pk)
        except InvalidResponse as error:
            passkeys.log_refusal(error)
            SecurityEvent.objects.record(self.request, self.attempt.user, SecurityEvent.Kind.SECOND_FACTOR_FAILED)
            self.attempt.refresh_from_db(fields=["tries"])
            raise forms.ValidationError(passkey_refused(), code="passkey_refused") from error
        self.amr, self.acr = passkeys.amr(passkey), passkeys.PHISHING_RESISTANT
        return response


class NewPasskeyForm(forms.Form):
    """Take the passkey that the browser has just made, and store it."""

    response = PasskeyField()

    def __init__(self, *args: Any, request: Request, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        self.is_first = False
        self.unknown = ""  # as in PasskeySignInForm

    def clean_response(self) -> str:
        """Return the response, having stored the passkey. One that is refused is of no use to the browser."""
        response: str = self.cleaned_data["response"]
        self.unknown = passkeys.unknown(response)
        throttle.hit(self.request, throttle.ENROLMENT, self.request.user)
        try:
            self.is_first = passkeys.add(self.request, response)
        except InvalidResponse as error:
            passkeys.log_refusal(error)
            raise forms.ValidationError(passkey_refused(), code="passkey_refused") from error
        return response


class PasskeyNameForm(forms.ModelForm):  # type: ignore[type-arg]
    """Name a passkey."""

    class Meta:
        model = Passkey
        fields = ("name",)


class AuthenticatorForm(forms.Form):
    """Ask for a code of the app that was just set up; the secret travels along, encrypted."""

    plain_secret = ""
    counter: int | None = None

    secret = forms.CharField(widget=forms.HiddenInput)
    code = CodeField(label=gettext_lazy("6-digit code"))

    def clean(self) -> dict[str, Any]:
        """Keep the secret and the time step of the code, which then counts as used."""
        cleaned = super().clean() or self.cleaned_data
        self.plain_secret = totp.decrypt(cleaned.get("secret", "")) or ""
        if self.plain_secret and "code" in cleaned:
            self.counter = totp.matching_counter(self.plain_secret, cleaned["code"])
            if self.counter is None:
                self.add_error("code", _("That's not the code. Check that the time on your phone is right."))
        return cleaned


def is_code(code: str) -> bool:
    """Return whether `code` may be one of an app, or a recovery code."""
    digits = normalize_code(code)
    return (len(digits) == totp.DIGITS and digits.isdecimal()) or recovery_codes.looks_like(code)


def passkey_refused() -> str:
    """Return what to say about a passkey that proves nothing."""
    return _("That passkey didn't work. Please try again.")


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
