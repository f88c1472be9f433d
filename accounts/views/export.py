"""Export what the site knows about a user."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from accounts.account.export import download
from accounts.models import SecurityEvent
from accounts.security.reauthentication import reauthentication_required
from accounts.types import Request


@require_http_methods(["GET", "HEAD", "POST"])
@reauthentication_required
def export(request: Request) -> HttpResponse:
    """Explain what the file contains, and send it."""
    if request.method != "POST":
        return render(request, "accounts/export.html")
    here = request.tokens.session_id
    SecurityEvent.objects.record(request, request.user, SecurityEvent.Kind.EXPORTED, session_id=here)
    return download(request.user, here)
