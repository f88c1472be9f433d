from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.models import SecurityEvent
from accounts.models.security_event import EVENT_RETENTION
from accounts.types import Request
from tokens.decorators import fresh_session_required

_PER_PAGE = 20


@fresh_session_required
@require_safe
def activity(request: Request) -> HttpResponse:
    """What happened to one's own account, the newest first."""
    page = Paginator(SecurityEvent.objects.of(request.user), _PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "accounts/activity.html", {"page": page, "kept": EVENT_RETENTION})
