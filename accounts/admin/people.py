"""What administrators see of people, and what they may do."""

from datetime import datetime
from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.formats import localize
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts import addresses, mails
from accounts.admin.rows import CheckedSelection, Ticks
from accounts.admin.sessions import SessionInline
from accounts.models import OutgoingMail, SecurityEvent, User
from accounts.proof import proved
from tokens.models import RefreshToken

Kind = SecurityEvent.Kind


@admin.register(User)
@method_decorator(proved, name="add_view")  # a proof carries no passwords along: these two ask before any is typed
@method_decorator(proved, name="user_change_password")
class UserAdmin(CheckedSelection, Ticks, DjangoUserAdmin):  # type: ignore[type-arg]
    list_display = ("username", "email", "is_active", "is_staff", "last_seen", "sessions", "date_joined")
    list_filter = ("is_active", "is_staff", "is_superuser", "groups", "last_login")
    ordering = ("username",)
    add_fieldsets = (
        (
            None,
            {
                "classes": ("wide",),
                "fields": ("username", "email", "usable_password", "password1", "password2"),
            },
        ),
    )
    readonly_fields = ("last_login", "date_joined")
    inlines = (SessionInline,)
    actions = ("end_sessions",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """With what the list tells of their sessions: two subqueries, for as many people as there are on one page."""
        theirs = RefreshToken.objects.filter(user=OuterRef("pk"))
        latest = theirs.order_by("-seen_at").values("seen_at")[:1]
        count = theirs.live().values("user").annotate(count=Count("*")).values("count")
        people: QuerySet[User] = super().get_queryset(request)
        return people.annotate(
            seen_at=Coalesce(Subquery(latest), "last_login"),  # sessions that ended long ago have no row
            live_sessions=Coalesce(Subquery(count), 0),
        )

    def get_list_display(self, request: HttpRequest) -> Any:
        hidden = set() if request.user.has_perm("tokens.view_refreshtoken") else {"sessions"}
        return [column for column in super().get_list_display(request) if column not in hidden]

    @admin.display(description=_("last seen"), ordering="seen_at")
    def last_seen(self, person: Any) -> datetime | None:
        return cast("datetime | None", person.seen_at)

    @admin.display(description=_("live sessions"), ordering="live_sessions")
    def sessions(self, person: Any) -> str:
        url = reverse("admin:tokens_refreshtoken_changelist")
        query = urlencode({"user__id__exact": person.pk, "state": "live"})
        return format_html('<a href="{}?{}">{}</a>', url, query, localize(person.live_sessions))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """The mails on their way to somebody go along with them: that needs no permission of its own."""
        to_delete, count, needed, protected = super().get_deleted_objects(objs, request)
        return to_delete, count, needed - {str(OutgoingMail._meta.verbose_name)}, protected

    def get_inlines(self, request: HttpRequest, obj: User | None) -> Any:
        return self.inlines if obj else ()

    def save_model(self, request: HttpRequest, obj: User, form: "ModelForm[User]", change: bool) -> None:
        """Whoever is given another name or address hears of it, as if they had changed it themselves."""
        changed = set(form.changed_data) if change else set()
        if "email" in changed:
            obj.verified_at = None
        super().save_model(request, obj, form, change)
        if "is_active" in changed:
            kind = Kind.ACTIVATED if obj.is_active else Kind.DEACTIVATED
            SecurityEvent.objects.record(request, obj, kind, by=request.user)
        if "username" in changed:
            SecurityEvent.objects.record(request, obj, Kind.NAME_CHANGED, by=request.user)
            mails.send("username_changed", obj, before=form.initial["username"], after=obj.username)
        if "email" in changed:
            SecurityEvent.objects.record(request, obj, Kind.ADDRESS_CHANGED, by=request.user)
            addresses.replaced(obj, form.initial["email"])

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        response = super().user_change_password(request, id, form_url)
        if request.method == "POST" and response.status_code == 302:
            person = self.get_object(request, id)
            SecurityEvent.objects.record(request, person, Kind.PASSWORD_CHANGED, by=request.user)
            mails.send("password_changed", person)  # not from where: that is the administrator's
        return response

    @admin.action(description=_("End all sessions of the selected people"), permissions=["end_sessions"])
    def end_sessions(self, request: HttpRequest, people: QuerySet[User]) -> None:
        count = RefreshToken.objects.revoke_for(people, RefreshToken.Reason.ADMIN)
        for person in people:
            SecurityEvent.objects.record(request, person, Kind.ALL_ENDED, by=request.user)
        messages.success(
            request,
            ngettext("%(n)d session was ended.", "%(n)d sessions were ended.", count) % {"n": count},
        )

    def has_end_sessions_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("tokens.end_refreshtoken"))


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(CheckedSelection, Ticks, DjangoGroupAdmin):
    pass
