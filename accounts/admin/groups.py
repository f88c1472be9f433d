"""Administer groups, which give several users permissions at once; only superusers may."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from accounts.admin.mixins import CheckboxesMixin, CheckedSelectionMixin
from accounts.models import SecurityEvent
from tokens.admin import OfferedLookups

admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(CheckedSelectionMixin, CheckboxesMixin, OfferedLookups, DjangoGroupAdmin):
    """Administer groups, and record changes to them."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return bool(request.user.is_superuser)

    def save_model(self, request: HttpRequest, obj: Group, form: "ModelForm[Group]", change: bool) -> None:
        super().save_model(request, obj, form, change)
        self._record(request)

    def delete_model(self, request: HttpRequest, obj: Group) -> None:
        super().delete_model(request, obj)
        self._record(request)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Group]) -> None:
        """Record each group before it is deleted, in one transaction."""
        with transaction.atomic():
            for _group in queryset:
                self._record(request)
            super().delete_queryset(request, queryset)

    def _record(self, request: HttpRequest) -> None:
        """Record that a group was changed.

        The admin's own log says which one; the users concerned may be thousands.
        """
        SecurityEvent.objects.record(request, None, SecurityEvent.Kind.GROUP_CHANGED, actor=request.user)
