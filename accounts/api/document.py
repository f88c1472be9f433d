"""Serve the description of the API to programs, and to the many tools that show such a document to people."""

import json
from pathlib import Path

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import cache_control
from django.views.decorators.http import conditional_page, require_safe

from tokens.decorators import anonymous_only

TEXT = Path(__file__).with_name("openapi.json").read_bytes()


@require_safe
@conditional_page
@cache_control(public=True, max_age=300)
@login_not_required
@anonymous_only
def document(request: HttpRequest) -> HttpResponse:
    """Return the OpenAPI 3.1 document under the media type that every program knows."""
    here = {'"Sojourn"': settings.SITE_NAME, '"/api"': request.path.removesuffix("/openapi.json")}
    text = TEXT
    for ours, theirs in here.items():
        text = text.replace(ours.encode(), json.dumps(theirs).encode())
    return HttpResponse(text, content_type="application/json")


@require_safe
@login_not_required
@anonymous_only
def root(request: HttpRequest) -> HttpResponse:
    """Redirect to the document."""
    return redirect("openapi")
