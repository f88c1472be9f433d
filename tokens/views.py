"""What neighbouring services may read."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import conditional_page, require_safe

from .conf import conf
from .decorators import cookieless


@require_safe
@conditional_page
@cache_control(public=True, max_age=300)
@login_not_required
@cookieless
def jwks(request: HttpRequest) -> JsonResponse:
    """The JWK Set of public keys (RFC 7517 §5), those included that do not sign yet; scripts of any site may read it.

    Empty while the key is symmetric: that one is never published.
    """
    response = JsonResponse({"keys": conf.key_ring.public()}, content_type="application/jwk-set+json")
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response
