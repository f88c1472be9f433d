"""Put Django's admin behind this site's own sign-in and sign-out pages."""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar, cast

from django.conf import settings
from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, reverse
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.security.reauthentication import reauthentication_required
from tokens.decorators import starts_or_ends_session

SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")
View = TypeVar("View", bound=Callable[..., HttpResponseBase])


class AdminSite(admin.AdminSite):
    """Replace Django's admin site, for members of the staff who have signed in on the site."""

    site_title = settings.SITE_NAME
    site_header = format_lazy(_("{site} administration"), site=settings.SITE_NAME)
    index_title = _("Users, sessions and activity")
    enable_nav_sidebar = False  # There are few lists, and the front page shows all of them.

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """Wrap a view so that only staff reach it, and only after a recent reauthentication if it changes anything.

        A user who is signed in without being staff gets a 403, since redirecting them to the sign-in page would lead in
        circles. Signing out requires no reauthentication.
        """
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
        """Return Django's URLs without its `view_on_site`.

        No row has a page of its own, and Django answers a malformed UUID there with a 500.
        """
        return [url for url in super().get_urls() if getattr(url, "name", None) != "view_on_site"]

    def index(self, request: HttpRequest, extra_context: dict[str, object] | None = None) -> TemplateResponse:
        """Show what happened in the last seven days above the lists."""
        from accounts.admin import dashboard  # Importing the package registers models with this very site.

        return super().index(request, {**(extra_context or {}), "week": dashboard.for_user(cast(User, request.user))})

    @login_not_required
    def login(self, request: HttpRequest, extra_context: dict[str, object] | None = None) -> HttpResponse:
        """Redirect to the site's own sign-in page, which is the only one."""
        next_url = request.GET.get(REDIRECT_FIELD_NAME) or reverse("admin:index")
        if not request.user.is_authenticated:
            return redirect_to_login(next_url)
        if not self.has_permission(request):
            raise PermissionDenied
        return redirect("admin:index")

    def password_change(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, object] | None = None
    ) -> HttpResponse:
        """Redirect to the site's own page for it."""
        return redirect("password_change")

    @starts_or_ends_session
    def logout(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, object] | None = None
    ) -> HttpResponse:
        """Sign out as on every other page of the site."""
        from accounts.views.sign_in import sign_out  # Views import models, which are loaded after this module.

        return sign_out(request)
