from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_http_methods

from accounts.export import document
from accounts.http import Request
from accounts.models import SecurityEvent
from accounts.proof import proved


@require_http_methods(["GET", "HEAD", "POST"])
@proved
def export(request: Request) -> HttpResponse:
    """What the file holds, and the button; the button answers with the file."""
    if request.method != "POST":
        return render(request, "accounts/export.html")
    user = request.user
    SecurityEvent.objects.record(request, user, SecurityEvent.Kind.EXPORTED, session=request.tokens.session_id)
    name = f"sojourn-{user.username}-{timezone.now():%Y-%m-%d}.json"
    return JsonResponse(
        document(user, here=request.tokens.session_id),
        json_dumps_params={"indent": 2, "ensure_ascii": False},
        headers={"Content-Disposition": content_disposition_header(True, name)},
    )
