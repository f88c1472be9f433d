"""Sign in by a passkey, and add, name and remove passkeys."""

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.factors import passkeys, policy
from accounts.factors.passkey_forms import NewPasskeyForm, PasskeySignInForm
from accounts.forms import LoginForm, PasskeyNameForm
from accounts.mails.outbox import absolute_url
from accounts.models import Passkey
from accounts.security import limits
from accounts.security.next_url import leading_to, next_url
from accounts.security.reauthentication import reauthentication_required
from accounts.types import Request
from accounts.views.sign_in import SignIn
from tokens.decorators import anonymous_only
from tokens.models import RefreshToken


class PasskeySignIn(SignIn):
    """Sign in by a passkey alone: its user was verified by the device, so it counts as both factors."""

    authentication_form = PasskeySignInForm  # type: ignore[assignment]
    limit = limits.PASSKEY

    def get(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        """Lead to the page with the form."""
        return redirect("login")

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        """Show the page with both forms again."""
        remember = form.cleaned_data.get("remember", False)
        password_form = LoginForm(self.request, initial={**self.get_initial(), "remember": remember})
        return self.render_to_response(self.get_context_data(form=password_form, passkey_form=form))

    def note_method(self, form: AuthenticationForm) -> None:
        assert isinstance(form, PasskeySignInForm) and form.passkey  # noqa: S101  (see authentication_form)
        tokens = self.request.tokens
        tokens.method = RefreshToken.Method.PASSKEY
        tokens.amr = (*passkeys.amr(form.passkey), policy.MULTI_FACTOR)
        tokens.acr = passkeys.PHISHING_RESISTANT


@anonymous_only
@login_not_required
@never_cache
@require_safe
def options(request: HttpRequest) -> HttpResponse:
    """Return a new challenge to the script of a sign-in page that is open for long."""
    return HttpResponse(passkeys.request_options(), content_type="application/json")


@anonymous_only
@login_not_required
@cache_control(public=True, max_age=24 * 3600)
@require_safe
def endpoints(request: HttpRequest) -> JsonResponse:
    """Tell password managers where passkeys are added and removed: https://w3c.github.io/webappsec-passkey-endpoints/."""
    return JsonResponse(dict.fromkeys(("enroll", "manage"), absolute_url("security")))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@reauthentication_required
def add(request: Request) -> HttpResponse:
    """Add a passkey. It is made once its owner has confirmed who they are: one that is refused would stay behind."""
    if request.method != "POST":
        return redirect("security")
    if passkeys.is_full(request.user):
        messages.error(request, _("You can't have more passkeys. Remove one that you don't use first."))
        return redirect("security")
    form = NewPasskeyForm(request.POST if "response" in request.POST else None, request=request)
    if form.is_valid():
        messages.success(request, _added_unasked() if form.cleaned_data["unasked"] else _("Your passkey is added."))
        onward = next_url(request, "security")
        return redirect(leading_to("recovery_codes", next_url(request)) if form.is_first else onward)
    context = {
        "form": form,
        "passkey_options": passkeys.creation_options(request),
        "first": not policy.has_factor(request.user),
    }
    return render(request, "accounts/factors/passkey_add.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@reauthentication_required
def name(request: Request, pk: int) -> HttpResponse:
    """Name one of the user's passkeys."""
    passkey = get_object_or_404(Passkey, pk=pk, user=request.user)
    form = PasskeyNameForm(request.POST if request.method == "POST" else None, instance=passkey)
    if not form.is_valid():
        return render(request, "accounts/factors/passkey_name.html", {"form": form})
    form.save()
    messages.success(request, _("Name saved."))
    return redirect("security")


@require_http_methods(["GET", "HEAD", "POST"])
@reauthentication_required
def remove(request: Request, pk: int) -> HttpResponse:
    """Remove one of the user's passkeys, after asking."""
    passkey = get_object_or_404(Passkey, pk=pk, user=request.user)
    if request.method != "POST":
        is_last = not policy.has_other_factor(passkey)
        context = {"passkey": passkey, "is_last": is_last, "back": reverse("security")}
        return render(request, "accounts/factors/passkey_remove.html", context)
    if passkeys.remove(request, passkey):
        messages.success(request, _("Your passkey is removed."))
    return redirect("security")


def _added_unasked() -> str:
    return _(
        "Your browser made a passkey for you, so next time you won't need your password. "
        "You can remove it under Security."
    )
