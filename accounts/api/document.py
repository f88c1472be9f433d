"""The API described: for programs by an OpenAPI document, for people by a page that is made from it."""

import json
from pathlib import Path

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import conditional_page, require_safe

from accounts.api.operations import errors, operations
from tokens.decorators import anonymous_only

TEXT = Path(__file__).with_name("openapi.json").read_bytes()
DOCUMENT = json.loads(TEXT)


@require_safe
@conditional_page
@cache_control(public=True, max_age=300)
@login_not_required
@anonymous_only
def document(request: HttpRequest) -> HttpResponse:
    """OpenAPI 3.1, under the media type that every program knows."""
    return HttpResponse(TEXT, content_type="application/json")


@require_safe
@login_not_required
def page(request: HttpRequest) -> HttpResponse:
    found = operations(DOCUMENT, request.build_absolute_uri("/"))
    context = {"document": DOCUMENT, "operations": found, "errors": errors(found)}
    return render(request, "api/page.html", context)
