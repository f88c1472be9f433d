"""Sessions, on their own pages and on those of their people."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.admin.rows import ReadOnly
from accounts.devices import describe
from tokens.models import RefreshToken


class SessionInline(ReadOnly, admin.TabularInline):  # type: ignore[type-arg]
    """Where the person is signed in; a row leads to its own page, where it can be ended."""

    model = RefreshToken
    verbose_name_plural = _("signed in at")
    fields = ("device", "address", "started_at", "seen_at", "expires_at")
    readonly_fields = fields
    extra = 0
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[RefreshToken]:
        live: QuerySet[RefreshToken] = RefreshToken.objects.live()
        return live.order_by("-seen_at")

    @admin.display(description=_("browser"))
    def device(self, row: RefreshToken) -> str:
        return str(describe(row.user_agent))
