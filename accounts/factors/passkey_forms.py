"""Define the forms that passkeys answer."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext as _

from accounts.factors import passkeys
from accounts.factors.challenges import InvalidResponse, Purpose
from accounts.factors.forms import SecondFactorForm, used_up
from accounts.factors.webauthn import MAX_LENGTH
from accounts.models import Attempt, Passkey, User
from accounts.security import limits, throttle
from accounts.types import Request


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
        throttle.hit(self.request, limits.PASSKEY)
        try:
            self.passkey = self._used(response)
        except InvalidResponse as error:
            passkeys.log_refusal(error)
            raise refused() from error
        throttle.hit(self.request, limits.PASSKEY_SIGNED_IN, self.passkey.user)
        throttle.reset(self.request, limits.PASSKEY)
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
    can_add_passkey = None  # type: ignore[assignment]
    response = PasskeyField()

    def clean_response(self) -> str:
        """Return the response, having used it up. It counts as a try."""
        response: str = self.cleaned_data["response"]
        if not Attempt.objects.filter(pk=self.attempt.pk).use_try():
            raise forms.ValidationError(used_up(), code="used_up")
        about = (Purpose.SECOND_FACTOR, self.attempt.pk)
        try:
            passkey = passkeys.prove(self.request, self.attempt.user, response, *about)
        except InvalidResponse as error:
            self.attempt.refresh_from_db(self.attempt._state.db, ["tries"])
            raise refused() from error
        self.amr, self.acr = passkeys.amr(passkey), passkeys.PHISHING_RESISTANT
        return response


class NewPasskeyForm(forms.Form):
    """Take the passkey that the browser has just made, and store it."""

    unasked = forms.BooleanField(required=False)  # which the challenge has to agree to
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
        throttle.hit(self.request, limits.ENROLMENT, self.request.user)
        try:
            purpose = Purpose.CONDITIONAL_REGISTRATION if self.cleaned_data["unasked"] else Purpose.REGISTRATION
            self.is_first = passkeys.add(self.request, response, purpose)
        except InvalidResponse as error:
            passkeys.log_refusal(error)
            raise refused() from error
        return response


def refused() -> forms.ValidationError:
    """Return what to say about a passkey that proves nothing."""
    return forms.ValidationError(_("That passkey didn't work. Please try again."), code="passkey_refused")
