"""The site, with a page that breaks and tells all it knows."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from project import urls

ESCAPES = "\r\n2026-01-01T00:00:00Z [critical ] forged \x1b[31mred\x1b[0m\x07\u2028\u202egnp.exe\x85"


@login_not_required
def broken(request: HttpRequest) -> HttpResponse:
    told = f"{request.POST} {request.COOKIES} {request.META.get('HTTP_COOKIE')} {dict(request.headers)}"
    raise RuntimeError(f"{ESCAPES} {told}")


handler500 = urls.handler500
urlpatterns = [path("broken/", broken), path("", include("project.urls"))]
