"""Ask for the password again before anything that could harm the account.

The row of a session records when its user last authenticated: at the sign-in, and at each reauthentication since.
Activity does not count, and neither does a silent refresh. It counts in the browser that it was done in, which got a
cookie for it, and not for whoever holds an older copy of its cookies.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import TypeVar, cast

from django import forms
from django.db import transaction
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.http import escape_leading_slashes
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from accounts.factors import codes, passkeys, policy
from accounts.factors.challenges import InvalidResponse, Purpose
from accounts.factors.forms import CodeField
from accounts.factors.passkey_forms import PasskeyField, refused
from accounts.models import Identity, SecurityEvent
from accounts.providers import registry
from accounts.security import carried_forms, limits, throttle
from accounts.security.next_url import asked_for, leading_to
from accounts.security.validators import validate_password_length
from accounts.types import Request
from tokens.decorators import fresh_session_required
from tokens.session import REAUTHENTICATION_TIMEOUT

Kind = SecurityEvent.Kind
View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def _asking(first: Callable[[Request], HttpResponseBase | None]) -> Callable[[View], View]:
    """Return a decorator for views that guard the account: `first` may answer instead of the view."""

    def decorator(view: View) -> View:
        @fresh_session_required
        @wraps(view)
        @sensitive_post_parameters()
        def asking(request: Request, *args: object, **kwargs: object) -> HttpResponseBase:
            return first(request) or view(request, *args, **kwargs)

        return cast(View, asking)

    return decorator


@_asking
def reauthentication_required(request: Request) -> HttpResponseBase | None:
    """Take what is sent to the view only within REAUTHENTICATION_TIMEOUT of the last authentication.

    Until then a page at the same URL asks for the password; the row is read (`fresh_session_required`). Its status is
    200, like that of every form to be submitted again: at a 401 a browser may show a dialog of its own. To look at a
    page needs no password.

    A user who gives it finds the form processed, since `request.POST` is restored. What is carried along is subject to
    Django's limits on forms as if it were typed. Files are not carried, since they would have to be stored meanwhile,
    and neither are passwords, which do not belong in any page: a form with one reauthenticates by it
    (`reauthenticate`).
    """
    if request.method in ("GET", "HEAD"):
        return None
    if not is_reauthenticated(request) and (page := ask(request)):
        return page
    if any(name.startswith(ReauthenticationForm.prefix) for name in request.POST):
        request.POST = carried_forms.original_form(request)  # type: ignore[assignment]
    return None


@_asking
def factor_required_first(request: Request) -> HttpResponseBase | None:
    """Show the view to users who have a second factor only within REAUTHENTICATION_TIMEOUT of showing it.

    For forms that ask for the password themselves: that is one factor, and none of what is typed into them is carried.
    """
    if is_reauthenticated(request) or not policy.has_factor(request.user):
        return None
    return ask(request) or redirect(escape_leading_slashes(request.get_full_path()))


@_asking
def second_factor_required(request: Request) -> HttpResponseBase | None:
    """Show the view only in a session whose user has shown a second factor, however long ago.

    Whoever has one and has not shown it, such as in a trusted browser, is asked for it at the same URL. Whoever has
    none is led to set one up.
    """
    row = request.tokens.row
    if not policy.has_factor(request.user):
        return redirect(leading_to("security", asked_for(request)))
    if row and policy.MULTI_FACTOR in row.amr.split():
        return None
    return ask(request) or redirect(escape_leading_slashes(request.get_full_path()))


@sensitive_post_parameters()
@sensitive_variables()
def ask(request: Request) -> HttpResponse | None:
    """Return the page that asks users who they are; None if this request has answered it."""
    form, passkey_form = ReauthenticationForm(request), PasskeyReauthenticationForm(request)
    return None if form.is_valid() or passkey_form.is_valid() else _page(request, form, passkey_form)


def is_reauthenticated(request: Request) -> bool:
    """Return whether the user has recently shown who they are, by a second factor if they have one.

    A sign-in in a trusted browser has not asked for it. Nor has that of an administrator whose session a package such
    as django-impersonate shows another user in.
    """
    row = request.tokens.row
    if row is None or row.user_id != request.user.pk:
        return False
    amr = row.amr.split()
    skipped = policy.TRUSTED in amr and policy.MULTI_FACTOR not in amr
    return request.tokens.is_reauthenticated and not (skipped and policy.has_factor(request.user))


@sensitive_variables("password")
def reauthenticate(request: Request, password: str) -> str:
    """Return `password` if it is the user's own, and mark this session as authenticated now.

    Of a user with a second factor it marks nothing. For use in forms: raise ValidationError if the password is wrong,
    and Throttled, which is one, after too many attempts. Attempts are recorded as events.
    """
    throttle.hit(request, limits.REAUTHENTICATION, request.user)
    session_id = request.tokens.session_id
    if request.tokens.row is None or not request.user.check_password(password):
        SecurityEvent.objects.record(request, request.user, Kind.REAUTHENTICATION_FAILED, session_id=session_id)
        raise forms.ValidationError(_("That password isn't right. Please try again."), code="password_incorrect")
    if not policy.has_factor(request.user):
        _record(request, "pwd")
    throttle.reset(request, limits.REAUTHENTICATION, request.user)
    return password


@sensitive_variables()
def reauthenticate_by_code(request: Request, code: str) -> str:
    """Return `code` if it is one of the user's, and mark this session as authenticated by two factors; see above."""
    codes.count(request, request.user, code)
    if request.tokens.row is None or not codes.spend(request, request.user, code):
        raise forms.ValidationError(_("That's not the code. Please try again."), code="wrong_code")
    _record(request, codes.OTP, policy.MULTI_FACTOR)
    return code


def reauthenticate_by_passkey(request: Request, response: str) -> str:
    """Return `response` if a passkey of the user has made it, and mark this session likewise."""
    throttle.hit(request, limits.PASSKEY)
    session_id = str(request.tokens.session_id)
    try:
        passkey = passkeys.prove(request, request.user, response, Purpose.REAUTHENTICATION, session_id)
    except InvalidResponse as error:
        raise refused() from error
    _record(request, *passkeys.amr(passkey), policy.MULTI_FACTOR, acr=passkeys.PHISHING_RESISTANT)
    throttle.reset(request, limits.PASSKEY)
    return response


def reauthenticate_by_provider(request: Request, name: str, amr: tuple[str, ...], acr: str) -> bool:
    """Mark this session as authenticated by a provider that has just asked anew; return whether that is enough."""
    if policy.has_factor(request.user) and policy.MULTI_FACTOR not in amr:
        return False
    _record(request, *amr, acr=acr, provider=name)
    return True


def _record(request: Request, *amr: str, acr: str = "", provider: str = "") -> None:
    with transaction.atomic():
        request.tokens.mark_reauthenticated(amr, acr)
        user, session_id = request.user, request.tokens.session_id
        SecurityEvent.objects.record(request, user, Kind.REAUTHENTICATED, session_id=session_id, method=provider)


class ReauthenticationForm(forms.Form):
    """Ask for the second factor, or of users without one for the password, and carry another form along.

    The prefix of its fields is used by no other form.
    """

    prefix = carried_forms.REAUTHENTICATION

    password = forms.CharField(
        label=gettext_lazy("Password"),
        strip=False,
        validators=[validate_password_length],
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )

    code = CodeField(label=gettext_lazy("Code"))

    def __init__(self, request: Request) -> None:
        asked, other = ("code", "password") if policy.has_factor(request.user) else ("password", "code")
        super().__init__(request.POST if self.add_prefix(asked) in request.POST else None)
        del self.fields[other]
        self.request = request

    def clean_code(self) -> str:
        """Return the code, having reauthenticated the user by it."""
        return reauthenticate_by_code(self.request, self.cleaned_data["code"])

    def clean_password(self) -> str:
        """Return the password, having reauthenticated the user by it."""
        return reauthenticate(self.request, self.cleaned_data["password"])


class PasskeyReauthenticationForm(forms.Form):
    """Ask for one of the user's passkeys, beside the other form."""

    prefix = ReauthenticationForm.prefix

    response = PasskeyField()

    def __init__(self, request: Request) -> None:
        super().__init__(request.POST if self.add_prefix("response") in request.POST else None)
        self.request = request

    def clean_response(self) -> str:
        """Return the response, having reauthenticated the user by it."""
        return reauthenticate_by_passkey(self.request, self.cleaned_data["response"])


def _page(request: Request, form: ReauthenticationForm, passkey_form: PasskeyReauthenticationForm) -> HttpResponse:
    context: dict[str, object] = {
        "form": form,
        "passkey_form": passkey_form,
        "passkey_options": "",
        "takes_codes": False,
        "carried": carried_forms.fields_to_carry(request),
        "providers": [],
        "carried_form": "",
        "minutes": REAUTHENTICATION_TIMEOUT // timedelta(minutes=1),
    }
    if "code" in form.fields:
        about = (Purpose.REAUTHENTICATION, str(request.tokens.session_id))
        context["passkey_options"] = options = passkeys.request_options_for(request.user, *about)
        form.fields["code"].widget.attrs["autofocus"] = not options
        context["takes_codes"] = codes.has_any(request.user)
    elif registry.providers():
        issuers = set(Identity.objects.filter(user=request.user).values_list("issuer", flat=True))
        context["providers"] = [each for each in registry.providers() if each.asks_anew and each.issuer in issuers]
        context["carried_form"] = carried_forms.carry(request)
    return render(request, "accounts/reauthenticate.html", context)
