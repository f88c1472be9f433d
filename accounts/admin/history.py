"""What happened, what was counted, and what still waits."""

from django.contrib import admin

from accounts.admin.rows import ReadOnly
from accounts.models import OutgoingMail, SecurityEvent, Tally


@admin.register(SecurityEvent)
class SecurityEventAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("at", "kind", "user", "address", "device", "by")
    list_filter = ("kind", "at")
    list_select_related = ("user", "by")
    search_fields = ("user__username", "user__email", "address")
    date_hierarchy = "at"
    fields = ("at", "kind", "user", "by", "address", "user_agent", "session")


@admin.register(OutgoingMail)
class OutgoingMailAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """What no mail server has taken yet: empty, as long as there is one."""

    list_display = ("made_at", "kind", "to", "attempts", "due_at")
    list_filter = ("kind",)
    ordering = ("due_at",)
    fields = ("made_at", "kind", "user", "to", "language", "attempts", "due_at")


@admin.register(Tally)
class TallyAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("hour", "branch", "count")
    list_filter = ("branch",)
    date_hierarchy = "hour"
