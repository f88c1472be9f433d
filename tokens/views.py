"""What neighbouring services may read."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from time import time
from urllib.parse import urljoin

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.views.decorators.cache import cache_control
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import conditional_page, require_safe

from .conf import conf
from .decorators import cookieless
from .models import RefreshToken
from .status_list import MARGIN, time_to_live, write_status_list

View = Callable[[HttpRequest], HttpResponse]


def published(view: View) -> View:
    """For everybody, scripts of any site included; caches keep it for five minutes."""

    @require_safe
    @conditional_page
    @cache_control(public=True, max_age=300)
    @login_not_required
    @cookieless
    @wraps(view)
    def shown(request: HttpRequest) -> HttpResponse:
        response = view(request)
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    return shown


@published
def jwks(request: HttpRequest) -> HttpResponse:
    """The JWK Set of public keys (RFC 7517 §5), those included that do not sign yet.

    Empty while the key is symmetric: that one is never published.
    """
    return JsonResponse({"keys": conf.key_ring.public()}, content_type="application/jwk-set+json")


@published
def metadata(request: HttpRequest) -> HttpResponse:
    """Where the keys are, for neighbours who know the issuer alone (RFC 8414 §2). Has to stand where they look for it,
    at `/.well-known/openid-configuration` below the issuer (OpenID Connect Discovery §4).

    This is no OpenID provider: nobody is sent here to sign in, and there are no ID tokens. The members about such
    things are left out, those included that the specifications require. Whoever verifies access tokens needs none:
    Spring Security's `issuer-uri` reads `jwks_uri`, and `issuer`, which must be the text that it was given; ASP.NET's
    `Authority` reads the same two, and wants at least one key. Both find the algorithm beside each key.

    RFC 8414 has no name for the algorithms of access tokens, allows further members, and has empty lists left out.
    This name is what other servers that sign access tokens call them.
    """
    told = {"issuer": conf.issuer, "jwks_uri": urljoin(conf.issuer, reverse(jwks))}
    algorithms = sorted({key["alg"] for key in conf.key_ring.public()})
    return JsonResponse(told | ({"access_token_signing_alg_values_supported": algorithms} if algorithms else {}))


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
