"""Sessions in Django admin: they can be viewed and ended, never added or edited."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import router, transaction
from django.db.models import Model, Q, QuerySet, TextChoices
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from . import signals
from .models import RefreshToken, RefreshTokenQuerySet

Rows = QuerySet[Model]

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

    AnyAdmin = admin.ModelAdmin[Model]
    ModelAdmin = admin.ModelAdmin[RefreshToken]
else:
    AnyAdmin = ModelAdmin = admin.ModelAdmin


class ReadOnlyMixin(admin.options.BaseModelAdmin):  # type: ignore[type-arg]
    """Show rows that are never added, changed or deleted here."""

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


class OfferedChangeList(ChangeList):
    """Refuse what no filter of the page offers: Django also takes any look-up of any column from the URL.

    Most of those answer odd values with a 500, and by some a value that is not shown could be guessed letter by letter.
    """

    def get_filters(self, request: HttpRequest) -> Any:
        if any("\0" in value for values in self.get_filters_params().values() for value in values):
            raise DisallowedModelAdminLookup("No column contains NUL.")
        found = super().get_filters(request)
        if lookups := found[2].keys() - set(getattr(self.model_admin, "linked_lookups", ())):
            raise DisallowedModelAdminLookup(f"The list does not offer {', '.join(sorted(lookups))}.")
        return found

    def get_results(self, request: HttpRequest) -> None:
        try:
            super().get_results(request)
        except OverflowError:  # A day at the end of the calendar, in another time zone.
            raise IncorrectLookupParameters from None


class OfferedLookups(AnyAdmin):
    """Accept the look-ups of the list's filters, and those of links to it (`linked_lookups`)."""

    linked_lookups: ClassVar[tuple[str, ...]] = ()

    def get_changelist(self, request: HttpRequest, **kwargs: object) -> type[ChangeList]:
        return OfferedChangeList


class ExactSearch(AnyAdmin):
    """Search by whole values that an index knows, so that a list of a million rows is as fast as a short one."""

    search_fields = ("user", "ip_address", "id")  # shows the search box; `meant_by` says what is searched
    search_help_text = _("Full user name, IP address or session ID")
    session_field = "pk"

    def get_search_results(self, request: HttpRequest, queryset: Rows, search_term: str) -> tuple[Rows, bool]:
        text = search_term.strip()
        return (queryset.filter(self.meant_by(text)) if text else queryset), False

    def meant_by(self, text: str) -> Q:
        with suppress(ValueError):
            return Q(**{self.session_field: UUID(text)})
        with suppress(ValueError):
            return Q(ip_address=str(ip_address(text)))
        return Q(user__in=list(self.people(text).values_list("pk", flat=True)))

    def people(self, name: str) -> QuerySet[AbstractBaseUser]:
        """Return the users with this name."""
        model = get_user_model()
        return model._default_manager.filter(**{model.USERNAME_FIELD: name})


class ChoiceFilter(admin.SimpleListFilter):
    """Filters by a column whose values are labelled in code (`choices`), as the column itself has no choices."""

    choices_class: ClassVar[type[TextChoices]]

    def lookups(self, request: HttpRequest, model_admin: AnyAdmin) -> list[tuple[str, StrOrPromise]]:
        return list(self.choices_class.choices)

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        return queryset.filter(**{str(self.parameter_name): self.value()}) if self.value() else queryset


class ReasonFilter(ChoiceFilter):
    title = _("reason")
    parameter_name = "reason"
    choices_class = RefreshToken.Reason


class MethodFilter(ChoiceFilter):
    title = _("method")
    parameter_name = "method"
    choices_class = RefreshToken.Method


@admin.register(RefreshToken)
class RefreshTokenAdmin(ReadOnlyMixin, ExactSearch, OfferedLookups, ModelAdmin):
    list_display: tuple[str, ...] = (
        "user",
        "name",
        "user_agent",
        "ip_address",
        "created_at",
        "last_used_at",
        "expires_at",
        "revoked_at",
        "reason_label",
    )
    list_filter: ClassVar[tuple[Any, ...]] = (ReasonFilter, "remember", MethodFilter)
    list_select_related = ("user",)
    ordering = ("-created_at",)
    sortable_by = ("created_at",)  # the index knows no other order
    show_full_result_count = False
    actions = ("end_sessions",)
    exclude = ("auth_hash", "jti", "generation", "version", "probed_jti", "probe_count", "status_index", "browser")

    @admin.display(description=_("reason"), ordering="reason")
    def reason_label(self, row: RefreshToken) -> str:
        return row.get_reason_display()

    @admin.display(description=_("method"), ordering="method")
    def method_label(self, row: RefreshToken) -> str:
        return row.get_method_display()

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("tokens.end_refreshtoken")

    @admin.action(description=_("End selected sessions"), permissions=["end"])
    def end_sessions(self, request: HttpRequest, queryset: RefreshTokenQuerySet) -> None:
        rows = list(queryset.on_primary().live().select_related("user"))
        with transaction.atomic(using=router.db_for_write(RefreshToken)):
            count = queryset.revoke(RefreshToken.Reason.ADMIN)
            for row in rows:
                row.reason = RefreshToken.Reason.ADMIN
                signals.session_ended.send(RefreshToken, request=request, row=row)
        text = ngettext("Ended %d session.", "Ended %d sessions.", count) % count
        self.message_user(request, text)
