"""Django's admin, entered and left by this site's own doors."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts import week
from accounts.models import User
from accounts.proof import proved
from tokens.decorators import starts_or_ends_session

SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")
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
        changing = checked if getattr(view, "tokens_starts_or_ends_session", False) else proved(checked)

        @wraps(checked)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.user.is_authenticated and not self.has_permission(request):
                raise PermissionDenied
            return (checked if request.method in SAFE else changing)(request, *args, **kwargs)

        return cast(View, guarded)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Above the lists, what happened in the last seven days."""
        return super().index(request, {**(extra_context or {}), "week": week.of(cast(User, request.user))})

    @login_not_required
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """There is one log-in page, and it is not here."""
        wanted = request.GET.get(REDIRECT_FIELD_NAME) or reverse("admin:index")
        if not request.user.is_authenticated:
            return redirect_to_login(wanted)
        if not self.has_permission(request):
            raise PermissionDenied
        return redirect("admin:index")

    def password_change(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return redirect("password_change")

    @starts_or_ends_session
    def logout(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        from accounts.views.sign_in import sign_out  # views need models, which load after this

        return sign_out(request)
