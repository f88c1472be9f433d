"""Pages that tempt a cache: each prints who asks, and says of itself what `?says=` asks for."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import cache_page
from django.views.decorators.vary import vary_on_cookie

from tokens.decorators import anonymous_only, fresh_session_required


@login_not_required
def who(request: HttpRequest) -> HttpResponse:
    """`?cookie=` sets one with the visitor's name in it; `?vary=` takes the place of what Vary says."""
    name = request.user.get_username() or "nobody"
    response = HttpResponse(f"<{name}>")
    if says := request.GET.get("says"):
        response.headers["Cache-Control"] = says
    if "cookie" in request.GET:
        response.set_cookie("basket", name)
    if vary := request.GET.get("vary"):
        patch_vary_headers(response, [vary])
    return response


@login_not_required
@anonymous_only
def machine(request: HttpRequest) -> HttpResponse:
    machine.asked += 1
    return HttpResponse(f"<{request.user.get_username() or 'nobody'}>")


machine.asked = 0

urlpatterns = [
    path("who/", who),
    path("guarded/", fresh_session_required(lambda request: who(request))),
    path("kept/", login_not_required(cache_page(60)(vary_on_cookie(who)))),
    path("machine/", machine),
    path("kept-machine/", login_not_required(anonymous_only(cache_page(60)(machine)))),
    path("", include("project.urls")),
]
