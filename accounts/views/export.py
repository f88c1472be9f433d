from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from accounts.export import download
from accounts.http import Request
from accounts.models import SecurityEvent
from accounts.proof import proved


@require_http_methods(["GET", "HEAD", "POST"])
@proved
def export(request: Request) -> HttpResponse:
    """What the file holds, and the button; the button answers with the file."""
    if request.method != "POST":
        return render(request, "accounts/export.html")
    here = request.tokens.session_id
    SecurityEvent.objects.record(request, request.user, SecurityEvent.Kind.EXPORTED, session=here)
    return download(request.user, here)
