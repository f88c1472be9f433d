"""What neighbouring services may read."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from urllib.parse import urljoin

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import conditional_page, require_safe

from .conf import conf
from .decorators import anonymous_only

View = Callable[[HttpRequest], HttpResponse]


def published(view: View) -> View:
    """Publish a view to everybody, scripts of any site included; caches keep it for five minutes."""

    @require_safe
    @conditional_page
    @cache_control(public=True, max_age=300)
    @login_not_required
    @anonymous_only
    @wraps(view)
    def shown(request: HttpRequest) -> HttpResponse:
        response = view(request)
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    return shown


@published
def jwks(request: HttpRequest) -> HttpResponse:
    """Return the JWK Set of public keys (RFC 7517 §5), including those that do not sign yet.

    Empty while the key is symmetric: that one is never published.
    """
    return JsonResponse({"keys": conf.key_ring.public()}, content_type="application/jwk-set+json")


@published
def metadata(request: HttpRequest) -> HttpResponse:
    """Return where the keys are, for neighbours that know only the issuer (RFC 8414 §2).

    To be served where they look for it, at `/.well-known/openid-configuration` below the issuer (OpenID Connect
    Discovery §4).

    This is not an OpenID provider: nobody is sent here to sign in, and there are no ID tokens. The members about such
    things are left out, even those that the specifications require. Verifying access tokens needs none:
    Spring Security's `issuer-uri` reads `jwks_uri`, and `issuer`, which must be the text that it was given; ASP.NET's
    `Authority` reads the same two, and wants at least one key. Both find the algorithm beside each key.

    RFC 8414 has no name for the algorithms of access tokens, allows further members, and has empty lists left out.
    This name is what other servers that sign access tokens call them.
    """
    told = {"issuer": conf.issuer, "jwks_uri": urljoin(conf.issuer, reverse(jwks))}
    algorithms = sorted({key["alg"] for key in conf.key_ring.public()})
    return JsonResponse(told | ({"access_token_signing_alg_values_supported": algorithms} if algorithms else {}))
