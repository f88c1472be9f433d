"""Search in the lists of what people did and where they are signed in."""

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from tokens.admin import ExactSearch


class UserSearchMixin(ExactSearch):
    """People are found as at the log-in."""

    search_help_text = _("A whole user name or e-mail address, an IP address, or the id of a session")

    def people(self, name: str) -> "QuerySet[User]":
        return User.objects.by_login(name)
