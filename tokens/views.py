"""What neighbouring services may read."""

from __future__ import annotations

from time import time

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.cache import patch_cache_control
from django.views.decorators.cache import cache_control
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import conditional_page, require_safe

from .conf import conf
from .decorators import cookieless
from .models import RefreshToken
from .status_list import MARGIN, time_to_live, write_status_list


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


@require_safe
@gzip_page  # the list is base64url twice over, and holds nothing that a visitor could guess at
@login_not_required
@cookieless
def status_list(request: HttpRequest) -> HttpResponse:
    """Which sign-ins have ended (draft-ietf-oauth-status-list §8): the list as it is now, whatever is accepted.

    Has to stand at `jwts.STATUS_LIST`, where tokens say that it is. 404 while TOKENS_STATUS_LIST is 0.
    """
    if not conf.status_list:
        raise Http404
    if "time" in request.GET:  # as it was then (§8.4): nobody is told
        return HttpResponse(status=501)
    lifetime = conf.access_lifetime
    token = write_status_list(
        RefreshToken.objects.ended_places(lifetime + MARGIN),
        size=conf.status_list,
        now=time(),
        lifetime=lifetime,
        ring=conf.key_ring,
        issuer=conf.issuer,
    )
    response = HttpResponse(token, content_type="application/statuslist+jwt")
    response.headers["Access-Control-Allow-Origin"] = "*"
    patch_cache_control(response, public=True, max_age=time_to_live(lifetime))
    return response
