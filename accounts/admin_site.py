"""Django's admin, entered and left by this site's own doors."""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar, cast

from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, reverse
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.security.reauthentication import reauthentication_required
from tokens.decorators import starts_or_ends_session

SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")
View = TypeVar("View", bound=Callable[..., HttpResponseBase])


class AdminSite(admin.AdminSite):
    site_title = _("Sojourn")
    site_header = _("Sojourn administration")
    index_title = _("People, sessions and what happened")
    enable_nav_sidebar = False  # the lists are few, and the front page has them all

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """Whoever is signed in and no member of staff gets a 403: a log-in page would lead in circles. Whatever is
        changed here is changed by somebody who has just shown who they are; to leave needs no proof."""
        checked = super().admin_view(view, cacheable)
        changing = (
            checked if getattr(view, "tokens_starts_or_ends_session", False) else reauthentication_required(checked)
        )

        @wraps(checked)
        def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            if request.user.is_authenticated and not self.has_permission(request):
                raise PermissionDenied
            return (checked if request.method in SAFE_METHODS else changing)(request, *args, **kwargs)

        return cast(View, guarded)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Without Django's way from a row to a page of its own: no row has one, and what is no UUID is a 500 there."""
        return [url for url in super().get_urls() if getattr(url, "name", None) != "view_on_site"]

    def index(self, request: HttpRequest, extra_context: dict[str, object] | None = None) -> TemplateResponse:
        """Above the lists, what happened in the last seven days."""
        from accounts.admin import dashboard  # which registers models with this very site

        return super().index(request, {**(extra_context or {}), "week": dashboard.for_user(cast(User, request.user))})

    @login_not_required
    def login(self, request: HttpRequest, extra_context: dict[str, object] | None = None) -> HttpResponse:
        """There is one log-in page, and it is not here."""
        wanted = request.GET.get(REDIRECT_FIELD_NAME) or reverse("admin:index")
        if not request.user.is_authenticated:
            return redirect_to_login(wanted)
        if not self.has_permission(request):
            raise PermissionDenied
        return redirect("admin:index")

    def password_change(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, object] | None = None
    ) -> HttpResponse:
        return redirect("password_change")

    @starts_or_ends_session
    def logout(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, object] | None = None
    ) -> HttpResponse:
        from accounts.views.sign_in import sign_out  # views need models, which load after this

        return sign_out(request)
