"""Share what the pages of the admin have in common."""

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME, ActionForm
from django.core.exceptions import ValidationError
from django.db.models import ManyToManyField, Model, QuerySet
from django.forms import CheckboxSelectMultiple
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import User
from tokens.admin import ExactSearch

MAX_SELECTED = 1_000  # rows for one action; for more there are commands, which work in batches with short locks


class ReadOnlyMixin(admin.options.BaseModelAdmin):  # type: ignore[type-arg]
    """Show rows that are never added, changed or deleted here."""

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


class CheckedSelectionMixin(admin.ModelAdmin):  # type: ignore[type-arg]
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


class CheckboxesMixin(admin.options.BaseModelAdmin):  # type: ignore[type-arg]
    """Select from many with labelled checkboxes, which need no script and no modifier key."""

    filter_horizontal = ()
    formfield_overrides = {ManyToManyField: {"widget": CheckboxSelectMultiple}}  # noqa: RUF012


class UserSearchMixin(ExactSearch):
    """Find users by what they sign in with."""

    search_help_text = gettext_lazy("Full user name or email address, IP address or session ID")

    def people(self, name: str) -> "QuerySet[User]":
        """Return the user with this user name or email."""
        return User.objects.by_login(name)
