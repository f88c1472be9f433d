"""Sessions in Django admin: to be read and ended, never added or edited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from . import signals
from .models import RefreshToken, RefreshTokenQuerySet

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[RefreshToken]
else:
    ModelAdmin = admin.ModelAdmin


@admin.register(RefreshToken)
class RefreshTokenAdmin(ModelAdmin):
    list_display: tuple[str, ...] = (
        "user",
        "name",
        "user_agent",
        "address",
        "started_at",
        "seen_at",
        "expires_at",
        "revoked_at",
        "reason",
    )
    list_filter = ("reason", "persistent", "method")
    list_select_related = ("user",)
    date_hierarchy = "started_at"
    actions = ("end_sessions",)
    exclude = ("auth_hash", "jti", "generation", "version", "probed_jti", "probes", "status_index")

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        return ("=id", f"user__{get_user_model().USERNAME_FIELD}", "user_agent", "=address")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("tokens.end_refreshtoken")

    @admin.action(description=_("End the selected sessions"), permissions=["end"])
    def end_sessions(self, request: HttpRequest, queryset: RefreshTokenQuerySet) -> None:
        rows = list(queryset.live().select_related("user"))
        count = queryset.revoke(RefreshToken.Reason.ADMIN)
        for row in rows:
            row.reason = RefreshToken.Reason.ADMIN
            signals.session_ended.send_robust(RefreshToken, request=request, row=row)
        text = ngettext("%d session was ended.", "%d sessions were ended.", count) % count
        self.message_user(request, text)
