"""What happened, and what still waits."""

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from accounts.admin import sheet
from accounts.admin.filters import Days, Doer, EventKind
from accounts.admin.lists import LongList
from accounts.admin.rows import ReadOnly
from accounts.admin.search import NamedPeople
from accounts.models import OutgoingMail, SecurityEvent


@admin.register(SecurityEvent)
class SecurityEventAdmin(ReadOnly, NamedPeople, LongList):
    list_display = ("at", "what", "user", "address", "device", "by")
    list_filter = (Days, Doer, EventKind)
    list_select_related = ("user", "by")
    ordering = ("-at",)
    sortable_by = ("at",)
    session_field = "session"
    fields = ("at", "what", "user", "by", "address", "user_agent", "session")
    readonly_fields = ("what",)

    @admin.display(description=_("what"))
    def what(self, event: SecurityEvent) -> str:
        return event.get_kind_display()

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:  # type: ignore[override]
        """The kind is shown in words, so that the column itself is none of the fields."""
        return lookup == EventKind.parameter_name or super().lookup_allowed(lookup, value, request)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.download)
        return [path("csv/", view, name="accounts_securityevent_csv"), *super().get_urls()]

    def has_export_permission(self, request: HttpRequest) -> bool:
        allowed = request.user.has_perm("accounts.export_securityevent")
        return allowed and self.has_view_permission(request)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, object] | None = None) -> HttpResponse:
        extra = {
            **(extra_context or {}),
            "may_export": self.has_export_permission(request),
            "most": number_format(sheet.MOST, force_grouping=True),
        }
        return super().changelist_view(request, extra)

    @method_decorator(require_POST)
    def download(self, request: HttpRequest) -> HttpResponseBase:
        """What the filters and the search leave, the newest first."""
        if not self.has_export_permission(request):
            raise PermissionDenied
        try:
            events = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:
            return redirect("admin:accounts_securityevent_changelist")
        SecurityEvent.objects.record(request, None, SecurityEvent.Kind.HISTORY_EXPORTED, by=request.user)
        return sheet.download(events)


@admin.register(OutgoingMail)
class OutgoingMailAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """What no mail server has taken yet: empty, as long as there is one."""

    list_display = ("made_at", "kind", "to", "attempts", "due_at")
    list_filter = ("kind",)
    ordering = ("due_at",)
    fields = ("made_at", "kind", "user", "to", "language", "attempts", "due_at")
