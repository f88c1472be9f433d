"""The site, with the page that it has while debugging, and one for each trouble that no address leads to by itself."""

from types import SimpleNamespace

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from accounts.views import styleguide
from tokens.core.exceptions import RevocationListUnavailable

styleguide.settings = SimpleNamespace(DEBUG=True)

TROUBLES = {400: BadRequest(), 500: RuntimeError(), 503: RevocationListUnavailable()}


@login_not_required
def trouble(request: HttpRequest, status: int) -> HttpResponse:
    raise TROUBLES[status]


urlpatterns = [path("trouble/<int:status>/", trouble), path("", include("project.urls"))]
