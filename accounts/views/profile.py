"""Edit the profile, show how the user signs in, and change the user name."""

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.factors import enrolment, passkeys
from accounts.forms import ProfileForm, UsernameForm
from accounts.mails import alerts
from accounts.models import Identity, SecurityEvent
from accounts.providers import registry
from accounts.security.reauthentication import reauthentication_required
from accounts.types import Request
from tokens.decorators import fresh_session_required

Kind = SecurityEvent.Kind


@fresh_session_required
@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: Request) -> HttpResponse:
    """Edit the user's first and last name, and the time zone."""
    form = ProfileForm(request.POST if request.method == "POST" else None, instance=request.user)
    if not form.is_valid():
        return render(request, "accounts/profile.html", {"form": form})
    with transaction.atomic():
        form.save()
        SecurityEvent.objects.record(request, request.user, Kind.PROFILE_CHANGED)
    messages.success(request, _("Profile saved."))
    return redirect("profile")


@fresh_session_required
@require_safe
def security(request: Request) -> HttpResponse:
    """Show what the user signs in with, and lead to where each is changed."""
    identities = Identity.objects.filter(user=request.user) if registry.providers() else Identity.objects.none()
    issuers = {identity.issuer for identity in identities}
    context = {
        **enrolment.overview(request.user),
        "signals": passkeys.signals(request.user),
        "providers": [provider for provider in registry.providers() if provider.issuer not in issuers],
        "identities": [(registry.label(identity), identity) for identity in identities],
    }
    return render(request, "accounts/security.html", context)


@reauthentication_required
@require_http_methods(["GET", "HEAD", "POST"])
def change_username(request: Request) -> HttpResponse:
    """Change the user name; `tokens` gives every browser new tokens at its next request."""
    form = UsernameForm(request.POST if request.method == "POST" else None, request=request)
    if not form.is_valid() or not _save_username(request, form):
        return render(request, "accounts/username_change.html", {"form": form})
    messages.success(request, _("Your user name is now %(name)s.") % {"name": form.instance.username})
    return redirect("security")


def _save_username(request: Request, form: UsernameForm) -> bool:
    """Save the user name, and return whether it was still free: the unique index decides."""
    try:
        with transaction.atomic():
            user = form.save()
            SecurityEvent.objects.record(request, user, Kind.USERNAME_CHANGED)
            alerts.notify_all("username_changed", user, request, before=request.user.username, after=user.username)
    except IntegrityError:
        form.add_error("username", _("This user name is taken."))
        return False
    return True
