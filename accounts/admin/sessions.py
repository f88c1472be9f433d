"""Administer sessions, on their own pages and on those of their users."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db import router
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.account.sessions import how_opened
from accounts.account.user_agents import describe
from accounts.admin.changelist import LargeTableAdmin
from accounts.admin.confirmation import confirmed
from accounts.admin.filters import AgeFilter, BrowserFilter, StateFilter
from accounts.admin.mixins import CheckedSelectionMixin, UserSearchMixin
from accounts.admin.permissions import can_manage, staff_q
from tokens.admin import MethodFilter, ReadOnlyMixin, ReasonFilter, RefreshTokenAdmin
from tokens.models import RefreshToken, RefreshTokenQuerySet, is_live


def _sessions_end(rows: QuerySet[RefreshToken]) -> str:
    count = rows.filter(is_live()).count()
    text = ngettext("We'll end %(n)d session right away.", "We'll end %(n)d sessions right away.", count)
    return text % {"n": count}


class DeviceMixin(admin.options.BaseModelAdmin):  # type: ignore[type-arg]
    """Show the browser of a session in words."""

    @admin.display(description=_("browser"))
    def device(self, row: RefreshToken) -> str:
        """Return browser and system in words, after the name that the user gave the session."""
        return " · ".join(filter(None, [row.name, str(describe(row.user_agent))]))


class SessionInline(ReadOnlyMixin, DeviceMixin, admin.TabularInline):  # type: ignore[type-arg]
    """List a user's live sessions; each links to its own page, where it can be ended."""

    model = RefreshToken
    verbose_name_plural = _("active sessions")
    fields = ("device", "ip_address", "created_at", "last_used_at", "expires_at")
    readonly_fields = fields
    extra = 0
    template = "admin/accounts/user/sessions.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[RefreshToken]:
        live: QuerySet[RefreshToken] = RefreshToken.objects.live()
        return live.order_by("-last_used_at")


admin.site.unregister(RefreshToken)


@admin.register(RefreshToken)
class SessionAdmin(CheckedSelectionMixin, DeviceMixin, UserSearchMixin, LargeTableAdmin, RefreshTokenAdmin):
    """Show sessions with their browsers in words; the page of a session ends it by the action of the list.

    templates/admin/tokens/refreshtoken/change_form.html has the button.
    """

    list_display = ("user", "device", "ip_address", "created_at", "last_used_at", "ended")
    list_filter: ClassVar[tuple[object, ...]] = (
        StateFilter,
        AgeFilter,
        ReasonFilter,
        BrowserFilter,
        "remember",
        MethodFilter,
    )
    fields = (
        *("user", "device", "header", "name", "ip_address", "method_label", "remember"),
        *("created_at", "last_used_at", "authenticated_at", "bound_at", "bound_proved_at"),
        *("expires_at", "changed_at", "revoked_at", "reason_label"),
    )
    readonly_fields = ("device", "header", "method_label", "reason_label")
    linked_lookups = ("user__id__exact",)  # from the list of users

    @admin.display(description=_("ended"))
    def ended(self, row: RefreshToken) -> str:
        """Return when and why the session has ended."""
        if row.is_live:
            return ""
        day = date_format(localtime(row.revoked_at or row.expires_at), "SHORT_DATETIME_FORMAT")
        return f"{day}, {row.get_reason_display() or RefreshToken.Reason.EXPIRED.label}"

    @admin.display(description=_("method"), ordering="method")
    def method_label(self, row: RefreshToken) -> str:
        """Return how it was opened, with a second factor or without."""
        return how_opened(row.method, row.amr)

    @admin.display(description=_("user agent"))
    def header(self, row: RefreshToken) -> str:
        """Return the User-Agent header as it was sent."""
        return row.user_agent

    def within_reach(self, request: HttpRequest, rows: QuerySet[RefreshToken]) -> QuerySet[RefreshToken]:
        """Return the sessions of users whom the administrator may manage."""
        found = rows.using(router.db_for_write(RefreshToken)).select_related("user")
        return found if request.user.is_superuser else found.exclude(staff_q("user__"))

    def name_of(self, row: RefreshToken) -> str:
        """Return whose session it is, and the browser in words."""
        return f"{row.user or _('nobody')} · {self.device(row)}"

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Tell the template whether the administrator may end this session."""
        row = context["original"]
        allowed = row.is_live and self.has_end_permission(request)
        context["may_end"] = allowed and (row.user is None or can_manage(request.user, row.user))
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.action(description=_("End selected sessions"), permissions=["end"])
    @confirmed(_("End sessions"), _sessions_end)
    def end_sessions(self, request: HttpRequest, queryset: RefreshTokenQuerySet) -> None:  # type: ignore[override]
        """End the selected sessions, but for those of users whom the administrator may not manage."""
        keys = list(self.within_reach(request, queryset).values_list("pk", flat=True))
        if left_out := queryset.exclude(pk__in=keys).count():
            text = ngettext(
                "%(n)d session belongs to a staff member. Only a superuser can end it.",
                "%(n)d sessions belong to staff members. Only a superuser can end them.",
                left_out,
            )
            self.message_user(request, text % {"n": left_out}, messages.WARNING)
        super().end_sessions(request, RefreshToken.objects.filter(pk__in=keys))
