from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.forms import ProfileForm
from accounts.models import SecurityEvent
from accounts.types import Request
from tokens.decorators import fresh_session_required


@fresh_session_required
@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: Request) -> HttpResponse:
    form = ProfileForm(request.POST if request.method == "POST" else None, instance=request.user)
    if not form.is_valid():
        return render(request, "accounts/profile.html", {"form": form})
    form.save()
    SecurityEvent.objects.record(request, request.user, SecurityEvent.Kind.PROFILE_CHANGED)
    messages.success(request, _("Your profile was saved."))
    return redirect("profile")
