"""Sessions in Django admin: to be read and ended, never added or edited."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from . import signals
from .models import RefreshToken, RefreshTokenQuerySet

if TYPE_CHECKING:
    AnyAdmin = admin.ModelAdmin[Any]
    ModelAdmin = admin.ModelAdmin[RefreshToken]
else:
    AnyAdmin = ModelAdmin = admin.ModelAdmin


class ExactSearch(AnyAdmin):
    """For what an index knows, and not for parts of words: so a list of a million rows is as fast as a short one."""

    search_fields = ("user", "address", "id")  # there is a field for it; `meant_by` says what is looked for
    search_help_text = _("A whole user name, an IP address, or the id of a session")
    session_field = "pk"

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[QuerySet[Any], bool]:
        text = search_term.strip()
        return (queryset.filter(self.meant_by(text)) if text else queryset), False

    def meant_by(self, text: str) -> Q:
        with suppress(ValueError):
            return Q(**{self.session_field: UUID(text)})
        with suppress(ValueError):
            return Q(address=str(ip_address(text)))
        return Q(user__in=list(self.people(text).values_list("pk", flat=True)))

    def people(self, name: str) -> QuerySet[Any]:
        """Who is called so."""
        model = get_user_model()
        return model._default_manager.filter(**{model.USERNAME_FIELD: name})


@admin.register(RefreshToken)
class RefreshTokenAdmin(ExactSearch, ModelAdmin):
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
    list_filter: ClassVar[tuple[Any, ...]] = ("reason", "persistent", "method")
    list_select_related = ("user",)
    ordering = ("-started_at",)
    sortable_by = ("started_at",)  # the index knows no other order
    show_full_result_count = False
    actions = ("end_sessions",)
    exclude = ("auth_hash", "jti", "generation", "version", "probed_jti", "probes", "status_index")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:  # type: ignore[override]
        """What is not shown is not asked for either, or it could be guessed letter by letter."""
        return lookup.partition("__")[0] not in self.exclude and super().lookup_allowed(lookup, value, request)

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
