"""Ask users once more who they are, for whatever wants to know it anew."""

from django.http import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.security.next_url import next_url
from accounts.security.reauthentication import ask
from accounts.types import Request
from tokens.decorators import fresh_session_required


@fresh_session_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: Request) -> HttpResponseBase:
    """Ask who it is, however recently that was asked, and lead on to `next`, a page of this site (RFC 9470)."""
    return ask(request) or redirect(next_url(request, "home"))
