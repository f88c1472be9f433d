"""Ask for the second factor between the password and the session."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from accounts.factors import attempts, passkeys, recovery_codes, trusted_browsers
from accounts.factors.challenges import Purpose
from accounts.factors.forms import SecondFactorForm, used_up
from accounts.factors.passkey_forms import PasskeyFactorForm
from accounts.models import Authenticator, User
from accounts.models.factors import Attempt
from accounts.types import Request
from accounts.views.sign_in import after_sign_in, signed_in
from tokens.decorators import fresh_session_required, starts_or_ends_session


@login_not_required
@fresh_session_required
@starts_or_ends_session
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters()
@sensitive_variables()
def second_factor(request: Request) -> HttpResponse:
    """Complete the attempt of this browser by a passkey or a code. Without one, lead back to the sign-in."""
    attempt = attempts.current(request)
    if attempt is None:
        return over(request)
    by_passkey = "response" in request.POST
    sent = request.POST if request.method == "POST" else None
    code_form = SecondFactorForm(None if by_passkey else sent, request=request, attempt=attempt)
    passkey_form = PasskeyFactorForm(sent if by_passkey else None, request=request, attempt=attempt)
    form = passkey_form if by_passkey else code_form
    options = passkeys.request_options_for(attempt.user, Purpose.SECOND_FACTOR, attempt.pk)
    code_form.fields["code"].widget.attrs["autofocus"] = not options  # or a phone would cover the button by its keys
    if form.is_valid():
        return _signed_in(request, attempt, form)
    if form.is_bound and not attempt.tries_left:
        messages.error(request, used_up())
        return _to_sign_in(request)
    context = {
        "form": code_form,
        "passkey_form": passkey_form,
        "passkey_options": options,
        "has_app": Authenticator.objects.filter(user=attempt.user).exists(),
        "has_codes": recovery_codes.left(attempt.user) > 0,
    }
    return render(request, "accounts/second_factor.html", context)


def over(request: Request) -> HttpResponse:
    """Lead back to the sign-in, which leads on whoever has signed in meanwhile, in another tab."""
    if not request.user.is_authenticated:
        messages.error(request, _("That took too long. Please sign in again."))
    return _to_sign_in(request)


def _signed_in(request: Request, attempt: Attempt, form: SecondFactorForm) -> HttpResponse:
    if not attempts.complete(request, attempt, *form.amr, acr=form.acr) or not request.user.is_authenticated:
        return _to_sign_in(request)
    if recovery_codes.looks_like(form.cleaned_data.get("code", "")):
        _say_how_many_are_left(request, attempt.user)
    response = signed_in(
        request,
        after_sign_in(request.user, attempt.next),
        carried_form=attempt.carried_form,
        can_add_passkey=form.cleaned_data.get("can_add_passkey", False),
    )
    if form.cleaned_data.get("trust"):
        trusted_browsers.trust(request, response, request.user)
    attempts.delete_cookie(response)
    return response


def _say_how_many_are_left(request: Request, user: User) -> None:
    left = recovery_codes.left(user)
    words = ngettext(
        "You have %(n)d recovery code left. You can get new ones under Security.",
        "You have %(n)d recovery codes left. You can get new ones under Security.",
        left,
    )
    (messages.warning if left <= recovery_codes.NOTICE_AT else messages.info)(request, words % {"n": left})


def _to_sign_in(request: Request) -> HttpResponse:
    response = redirect("login")
    if settings.ATTEMPT_COOKIE_NAME in request.COOKIES:
        attempts.delete_cookie(response)
    return response
