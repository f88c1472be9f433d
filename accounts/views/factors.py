"""Add and remove second factors, from the page about security."""

from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from accounts.account.user_agents import describe
from accounts.factors import enrolment, policy, totp
from accounts.factors.forms import AuthenticatorForm
from accounts.models import Authenticator, SecurityEvent, TrustedBrowser
from accounts.security import limits, throttle
from accounts.security.next_url import leading_to, next_url
from accounts.security.reauthentication import reauthentication_required
from accounts.types import Request

Kind = SecurityEvent.Kind


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@reauthentication_required
@sensitive_variables()
def authenticator(request: Request) -> HttpResponse:
    """Set up an authenticator app: show its secret, and take the first code that it makes."""
    form = AuthenticatorForm(request.POST if request.method == "POST" else None, request=request)
    if form.is_valid() and throttle.allows(form, request, limits.ENROLMENT, request.user):
        assert form.counter is not None  # noqa: S101  (the form is valid)
        first = enrolment.add_authenticator(request, form.plain_secret, form.counter)
        messages.success(request, _("Your authenticator app is set up."))
        return redirect(leading_to("recovery_codes", next_url(request)) if first else next_url(request, "security"))
    secret = getattr(form, "plain_secret", "") or totp.new_secret()
    context = {
        "form": form,
        "secret_words": " ".join(secret[start : start + 4] for start in range(0, len(secret), 4)),
        "encrypted": totp.encrypt(secret, until_confirmed_by=request.user),
        "qr_code": totp.qr_code(secret, request.user),
        "first": not policy.has_factor(request.user),
    }
    return render(request, "accounts/factors/authenticator.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@reauthentication_required
def remove_authenticator(request: Request) -> HttpResponse:
    """Remove the app, after asking."""
    if request.method != "POST":
        get_object_or_404(Authenticator, user=request.user)
        return render(request, "accounts/factors/authenticator_remove.html", {"back": reverse("security")})
    if enrolment.remove_authenticator(request):
        messages.success(request, _("Your authenticator app is removed."))
    return redirect("security")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@reauthentication_required
@sensitive_variables()
def recovery_codes(request: Request) -> HttpResponse:
    """Make new recovery codes and show them, once: in the answer to a POST, which no browser or cache keeps."""
    if not policy.has_factor(request.user):
        return redirect("security")
    codes = []
    if request.method == "POST":
        throttle.hit(request, limits.ENROLMENT, request.user)
        codes = enrolment.renew_recovery_codes(request)
    context = {"codes": codes, **enrolment.overview(request.user)}
    return render(request, "accounts/factors/recovery_codes.html", context)


@require_POST
@reauthentication_required
def remove_trust(request: Request, pk: UUID) -> HttpResponse:
    """Ask for the second factor again in a browser that was trusted."""
    browser = get_object_or_404(TrustedBrowser, pk=pk, user=request.user)
    with transaction.atomic():
        browser.delete()
        SecurityEvent.objects.record(request, request.user, Kind.TRUST_REMOVED)
    title = describe(browser.user_agent)
    messages.success(request, _("We'll ask for your second step again in %(browser)s.") % {"browser": title})
    return redirect("security")
