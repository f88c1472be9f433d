"""Administer users."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db import transaction
from django.db.models import Count, Max, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, reverse
from django.utils.formats import localize
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from accounts.admin.actions import UserActionsMixin
from accounts.admin.changelist import FirstPagePaginator, IndexedChangeList, LargeTableAdmin
from accounts.admin.factors import FactorsMixin
from accounts.admin.forms import NewUserForm, UserForm
from accounts.admin.mixins import CheckboxesMixin, CheckedSelectionMixin
from accounts.admin.permissions import PRIVILEGE_FIELDS, can_manage
from accounts.admin.sessions import SessionInline
from accounts.email import verification as email_verification
from accounts.mails import alerts, outbox
from accounts.models import OutgoingMail, SecurityEvent, User
from tokens.models import RefreshToken, is_live

Kind = SecurityEvent.Kind


class UserChangeList(IndexedChangeList):
    """Add the figures of their sessions to the users of a page, by one query for the page."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = annotate_sessions(self.result_list)


@admin.register(User)
class UserAdmin(
    FactorsMixin,
    CheckedSelectionMixin,
    CheckboxesMixin,
    UserActionsMixin,
    LargeTableAdmin,
    DjangoUserAdmin,  # type: ignore[type-arg]
):
    """Administer users without ever setting a password: users choose it themselves, by a link that they are sent."""

    form = UserForm
    add_form = NewUserForm
    add_form_template = None
    list_display = ("username", "email", "is_active", "is_staff", "last_seen", "sessions", "date_joined")
    list_filter = ("is_active", "is_staff", "is_superuser", "groups", "last_login", "date_joined")
    paginator = FirstPagePaginator  # Counting even a hundred thousand users is fast.
    ordering = ("username",)
    fieldsets = (
        (None, {"fields": ("username", "first_name", "last_name", "email")}),
        (_("Permissions"), {"fields": ("is_active", *PRIVILEGE_FIELDS)}),
        (_("Security"), {"fields": ("factors", "identities")}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (
            None,
            {
                "fields": ("username", "email"),
                "description": _("We'll send an email with a link to choose a password to this address."),
            },
        ),
    )
    readonly_fields = ("factors", "identities", "last_login", "date_joined")
    inlines = (SessionInline,)

    def get_urls(self) -> list[URLPattern]:
        """Return Django's URLs without the page that sets a password."""
        return [url for url in super().get_urls() if url.name != "auth_user_password_change"]

    def get_changelist(self, request: HttpRequest, **kwargs: object) -> type[ChangeList]:
        return UserChangeList

    def get_list_display(self, request: HttpRequest) -> Any:
        """Return the columns, without that of sessions if the administrator may not see those."""
        hidden = set() if request.user.has_perm("tokens.view_refreshtoken") else {"sessions"}
        return [column for column in super().get_list_display(request) if column not in hidden]

    @admin.display(description=_("last active"))
    def last_seen(self, user: Any) -> datetime | None:
        """Return when the user was last active."""
        return cast("datetime | None", user.last_used_at)

    @admin.display(description=_("active sessions"))
    def sessions(self, user: Any) -> str:
        """Return the number of live sessions, linked to their list."""
        url = reverse("admin:tokens_refreshtoken_changelist")
        query = urlencode({"user__id__exact": user.pk, "state": "live"})
        return format_html('<a href="{}?{}">{}</a>', url, query, localize(user.live_sessions))

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or can_manage(request.user, obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or can_manage(request.user, obj))

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Return the fields that this administrator may not edit.

        Only superusers give permissions, and nobody edits their own.
        """
        actor = cast(User, request.user)
        own = obj is not None and obj.pk == actor.pk
        rights = PRIVILEGE_FIELDS if own or not actor.is_superuser else ()
        closing = ("is_active",) if own or not self.has_deactivate_permission(request) else ()
        return (*super().get_readonly_fields(request, obj), *rights, *closing)

    def get_inlines(self, request: HttpRequest, obj: User | None) -> tuple[type[SessionInline], ...]:
        return self.inlines if obj else ()

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Waive the permission to delete outgoing mails, which are deleted together with their user."""
        to_delete, count, needed, protected = super().get_deleted_objects(objs, request)
        return to_delete, count, needed - {str(OutgoingMail._meta.verbose_name)}, protected

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Tell the template which actions are available."""
        user = context.get("original")
        context["available_actions"] = self.available_actions(request, user) if user else []
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: User, form: "ModelForm[User]", change: bool) -> None:
        """Save the user and record the changes.

        The user is told about a new user name or email as if they had changed it themselves.
        """
        changed = set(form.changed_data) if change else set()
        verified = obj.email_verified_at is not None
        if "email" in changed:
            obj.email_verified_at = None
        super().save_model(request, obj, form, change)
        for kind in _kinds(obj, changed) if change else [Kind.SIGNED_UP]:
            SecurityEvent.objects.record(request, obj, kind, actor=request.user)
        if not change:
            outbox.enqueue("password_reset", obj, by_administrator=True)
        if "username" in changed:
            alerts.notify_all("username_changed", obj, before=form.initial["username"], after=obj.username)
        if "email" in changed:
            email_verification.record_change_by_admin(obj, form.initial["email"], verified=verified)

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        self.delete_queryset(request, User.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Delete users, locked in the order of their keys as everywhere.

        The event names the actor, and nobody who has been deleted.
        """
        with transaction.atomic():
            chosen = User.objects.filter(pk__in=list(queryset.order_by().values_list("pk", flat=True))).order_by("pk")
            for _user in chosen.select_for_update():
                SecurityEvent.objects.record(request, None, Kind.DELETED, actor=request.user)
            chosen.delete()


def annotate_sessions(users: Iterable[User]) -> list[User]:
    """Return `users`, each with the number of `live_sessions` and their `last_used_at`, read in one query."""
    found = list(users)
    live = Count("pk", filter=is_live())
    rows = RefreshToken.objects.filter(user__in=found).values_list("user").annotate(seen=Max("last_used_at"), live=live)
    figures = {key: (last_used_at, count) for key, last_used_at, count in rows}
    for user in cast("list[Any]", found):
        # Sessions that ended long ago have no row, so the last sign-in stands in.
        user.last_used_at, user.live_sessions = figures.get(user.pk, (user.last_login, 0))
    return found


def _kinds(user: User, changed: set[str]) -> list[SecurityEvent.Kind]:
    """Return the kinds of events that record a change of these fields."""
    closing = Kind.ACTIVATED if user.is_active else Kind.DEACTIVATED
    kinds = {"is_active": closing, "username": Kind.USERNAME_CHANGED, "email": Kind.EMAIL_CHANGED}
    kinds |= dict.fromkeys(("first_name", "last_name"), Kind.PROFILE_CHANGED)
    kinds |= dict.fromkeys(PRIVILEGE_FIELDS, Kind.RIGHTS_CHANGED)
    return [kind for kind in dict.fromkeys(kinds.values()) if any(kinds.get(name) == kind for name in changed)]
