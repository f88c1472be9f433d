"""Search lists by user."""

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from tokens.admin import ExactSearch


class UserSearchMixin(ExactSearch):
    """Find users by what they sign in with."""

    search_help_text = _("A whole user name or e-mail address, an IP address, or the id of a session")

    def people(self, name: str) -> "QuerySet[User]":
        """Return the user with this user name or email."""
        return User.objects.by_login(name)
