"""Show security events and outgoing mails to administrators."""

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

from accounts.account.sessions import how_opened
from accounts.admin import csv_export
from accounts.admin.changelist import LargeTableAdmin
from accounts.admin.filters import ActorFilter, DateRangeFilter, EventKindFilter
from accounts.admin.mixins import UserSearchMixin
from accounts.models import OutgoingMail, SecurityEvent
from tokens.admin import OfferedLookups, ReadOnlyMixin


@admin.register(SecurityEvent)
class SecurityEventAdmin(ReadOnlyMixin, UserSearchMixin, LargeTableAdmin):
    """Show security events, and export them."""

    list_display = ("created_at", "what", "user", "ip_address", "device", "actor")
    list_filter = (DateRangeFilter, ActorFilter, EventKindFilter)
    list_select_related = ("user", "actor")
    ordering = ("-created_at",)
    sortable_by = ("created_at",)
    session_field = "session_id"
    # From the page of a user, and from the front page.
    linked_lookups = ("user__id__exact", "created_at__gte", "created_at__lt")
    fields = ("created_at", "what", "user", "actor", "ip_address", "user_agent", "session_id", "how")
    readonly_fields = ("what", "how")

    @admin.display(description=_("event"))
    def what(self, event: SecurityEvent) -> str:
        """Return the kind in words."""
        return event.get_kind_display()

    @admin.display(description=_("method"))
    def how(self, event: SecurityEvent) -> str:
        """Return how it was done, or with which provider, in words."""
        return how_opened(event.method, event.amr) if event.method else ""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.download)
        return [path("csv/", view, name="accounts_securityevent_csv"), *super().get_urls()]

    def has_export_permission(self, request: HttpRequest) -> bool:
        """Return whether the administrator may download the events, which includes seeing them."""
        allowed = request.user.has_perm("accounts.export_securityevent")
        return allowed and self.has_view_permission(request)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, object] | None = None) -> HttpResponse:
        extra = {
            **(extra_context or {}),
            "may_export": self.has_export_permission(request),
            "most": number_format(csv_export.MAX_EVENTS, force_grouping=True),
        }
        return super().changelist_view(request, extra)

    @method_decorator(require_POST)
    def download(self, request: HttpRequest) -> HttpResponseBase:
        """Export the events that the filters and the search leave, the newest first."""
        if not self.has_export_permission(request):
            raise PermissionDenied
        try:
            events = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:
            return redirect("admin:accounts_securityevent_changelist")
        SecurityEvent.objects.record(request, None, SecurityEvent.Kind.EVENTS_EXPORTED, actor=request.user)
        return csv_export.download(events)


@admin.register(OutgoingMail)
class OutgoingMailAdmin(ReadOnlyMixin, OfferedLookups):
    """Show the mails that no mail server has accepted yet; normally there are none."""

    list_display = ("created_at", "kind", "to", "attempts", "due_at")
    list_filter = ("kind",)
    ordering = ("due_at",)
    fields = ("created_at", "kind", "user", "to", "language", "attempts", "due_at")
