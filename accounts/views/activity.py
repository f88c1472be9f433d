"""Show users the history of their account, and export what the site knows about them."""

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_safe

from accounts.account.export import download
from accounts.account.sessions import add_how
from accounts.models import SecurityEvent
from accounts.models.security_event import EVENT_RETENTION
from accounts.security.reauthentication import reauthentication_required
from accounts.types import Request
from tokens.decorators import fresh_session_required

_PER_PAGE = 20


@fresh_session_required
@require_safe
def activity(request: Request) -> HttpResponse:
    """Show what happened to the user's account, the newest first."""
    page = Paginator(SecurityEvent.objects.of(request.user), _PER_PAGE).get_page(request.GET.get("page"))
    add_how(page)
    return render(request, "accounts/activity.html", {"page": page, "retention": EVENT_RETENTION})


@require_http_methods(["GET", "HEAD", "POST"])
@reauthentication_required
def export(request: Request) -> HttpResponse:
    """Explain what the file contains, and send it."""
    if request.method != "POST":
        return render(request, "accounts/export.html")
    session_id = request.tokens.session_id
    SecurityEvent.objects.record(request, request.user, SecurityEvent.Kind.EXPORTED, session_id=session_id)
    return download(request.user, session_id)
