"""What neighbouring services may read."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from .conf import conf
from .decorators import cookieless


@require_safe
@cache_control(public=True, max_age=300)
@login_not_required
@cookieless
def jwks(request: HttpRequest) -> JsonResponse:
    """The JWK Set of public keys (RFC 7517 §5). Empty while the key is symmetric: that one is never published."""
    return JsonResponse({"keys": conf.key_ring.public()}, content_type="application/jwk-set+json")
