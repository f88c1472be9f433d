"""Sessions, on their own pages and on those of their people."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.admin.rows import CheckedSelection, ReadOnly
from accounts.devices import describe
from tokens.admin import RefreshTokenAdmin
from tokens.models import RefreshToken


class Devices(admin.options.BaseModelAdmin):  # type: ignore[type-arg]
    @admin.display(description=_("browser"), ordering="user_agent")
    def device(self, row: RefreshToken) -> str:
        return str(describe(row.user_agent))


class SessionInline(ReadOnly, Devices, admin.TabularInline):  # type: ignore[type-arg]
    """Where the person is signed in; a row leads to its own page, where it can be ended."""

    model = RefreshToken
    verbose_name_plural = _("signed in at")
    fields = ("device", "address", "started_at", "seen_at", "expires_at")
    readonly_fields = fields
    extra = 0
    template = "admin/accounts/user/sessions.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[RefreshToken]:
        live: QuerySet[RefreshToken] = RefreshToken.objects.live()
        return live.order_by("-seen_at")


class State(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("live", _("Live")), ("ended", _("Ended"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return {"live": queryset.live, "ended": queryset.ended}.get(self.value() or "", queryset.all)()


admin.site.unregister(RefreshToken)


@admin.register(RefreshToken)
class SessionAdmin(CheckedSelection, Devices, RefreshTokenAdmin):
    """What `tokens` shows of them, with the browser in words; a session's own page ends it by the action of the list
    (templates/admin/tokens/refreshtoken/change_form.html)."""

    list_display = ("user", "device", "name", "address", "started_at", "seen_at", "revoked_at", "reason")
    fields = (
        *("user", "device", "header", "name", "address", "method", "persistent"),
        *("started_at", "seen_at", "proved_at", "expires_at", "changed_at", "revoked_at", "reason"),
    )
    readonly_fields = ("device", "header")

    @admin.display(description=_("as it calls itself"))
    def header(self, row: RefreshToken) -> str:
        return row.user_agent

    def get_list_filter(self, request: HttpRequest) -> Any:
        return (State, *super().get_list_filter(request))
