"""Share what the pages of the admin have in common."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME, ActionForm
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db.models import ManyToManyField, Model, QuerySet
from django.forms import CheckboxSelectMultiple, ModelMultipleChoiceField, Script
from django.http import HttpRequest, HttpResponse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.admin.confirmation import ConfirmationMixin
from accounts.models import User
from tokens.admin import ExactSearch

DEFAULT_PERMISSIONS = {
    "add": gettext_lazy("Can add %(what)s"),
    "change": gettext_lazy("Can change %(what)s"),
    "delete": gettext_lazy("Can delete %(what)s"),
    "view": gettext_lazy("Can view %(what)s"),
}
OWN_PERMISSIONS = {
    "deactivate_user": gettext_lazy("Can close and reopen accounts"),
    "reset_user": gettext_lazy("Can send password links"),
    "export_user": gettext_lazy("Can download users' data"),
    "remove_factors_user": gettext_lazy("Can start the removal of a second step"),
    "export_securityevent": gettext_lazy("Can download security events"),
    "end_refreshtoken": gettext_lazy("Can end sessions"),
}
MAX_SELECTED = 1_000  # rows for one action; for more there are commands, which work in batches with short locks


class CheckedSelectionMixin(ConfirmationMixin):
    """Validate the selection before an action runs: Django answers malformed keys with a 500."""

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Model], **location: object
    ) -> HttpResponse | None:
        """Run the action, or say why the selection cannot be used."""
        if not all(map(self._is_key, request.POST.getlist(ACTION_CHECKBOX_NAME))):
            refusal = _("We couldn't read your selection. Nothing has changed.")
        elif self._takes_all(request) and queryset.order_by()[: MAX_SELECTED + 1].count() > MAX_SELECTED:
            refusal = ngettext(
                "You can change up to %(n)d row at a time. Nothing has changed.",
                "You can change up to %(n)d rows at a time. Nothing has changed.",
                MAX_SELECTED,
            ) % {"n": MAX_SELECTED}
        else:
            return super().response_action(request, queryset, **location)
        self.message_user(request, refusal, messages.ERROR)
        return None

    def _takes_all(self, request: HttpRequest) -> bool:
        """Return whether Django will take all rows that the filters leave, not only the selected ones."""
        return bool(ActionForm.base_fields["select_across"].to_python(request.POST.get("select_across")))

    def _is_key(self, text: str) -> bool:
        try:
            self.opts.pk.clean(text, None)
        except ValidationError:
            return False
        return True


class FilteredCheckboxes(CheckboxSelectMultiple):
    """Put a field above the checkboxes, where scripts run, that leaves those whose labels contain what is typed."""

    class Media:
        # Django puts it into the head, before the checkboxes. They would move if they were painted without the field.
        js = (Script("js/filter.js", defer=True, blocking="render"),)

    def __init__(self) -> None:
        super().__init__(attrs={"class": "filtered"})


class PermissionField(ModelMultipleChoiceField):  # type: ignore[type-arg]
    """Offer the permissions that mean something here, each once and in words."""

    widget = FilteredCheckboxes

    def __init__(self, **options: Any) -> None:
        types = ContentType.objects.get_for_models(*(model for model in admin.site._registry if model is not Group))
        offered = Permission.objects.filter(content_type__in=types.values()).select_related("content_type")
        super().__init__(offered.order_by("content_type__model", "name"), **options)

    def label_from_instance(self, permission: Permission) -> str:
        """Return what the permission allows, in the reader's language; those of Django have its four names."""
        action, model = permission.codename.partition("_")[0], permission.content_type.model_class()
        if model and action in DEFAULT_PERMISSIONS:
            return DEFAULT_PERMISSIONS[action] % {"what": model._meta.verbose_name_plural}
        return str(OWN_PERMISSIONS.get(permission.codename, permission.name))


class CheckboxesMixin(admin.options.BaseModelAdmin):  # type: ignore[type-arg]
    """Select from many with labelled checkboxes, which need no script and no modifier key."""

    filter_horizontal = ()
    formfield_overrides = {ManyToManyField: {"widget": CheckboxSelectMultiple}}  # noqa: RUF012

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Return the field, for permissions one of its own."""
        if db_field.remote_field.model is Permission:
            return PermissionField(label=capfirst(db_field.verbose_name), help_text=db_field.help_text, required=False)
        return super().formfield_for_manytomany(db_field, request, **kwargs)


class UserSearchMixin(ExactSearch):
    """Find users by what they sign in with."""

    search_help_text = gettext_lazy("Full user name or email address, IP address or session ID")

    def people(self, name: str) -> "QuerySet[User]":
        """Return the user with this user name or email."""
        return User.objects.by_login(name)
