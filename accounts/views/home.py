"""Show the front page."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.security import sign_out_notices
from accounts.types import Request


@login_not_required
@require_safe
def home(request: Request) -> HttpResponse:
    """Show visitors the way in, and users the way on."""
    if request.user.is_authenticated:
        return render(request, "home.html")
    return render(request, "welcome.html", {"notice": sign_out_notices.notice(request.tokens.ended)})
