"""Define the forms of a user's pages in the admin; no administrator sets a password."""

from secrets import token_urlsafe

from django import forms
from django.contrib.auth.forms import UserChangeForm, UsernameField

from accounts.models import User


class UserForm(UserChangeForm):  # type: ignore[type-arg]
    """Edit a user, without the password."""

    password = None  # type: ignore[assignment]


class NewUserForm(forms.ModelForm):  # type: ignore[type-arg]
    """Create a user with a random password that nobody knows, so that a link can replace it."""

    class Meta:
        model = User
        fields = ("username", "email")
        field_classes = {"username": UsernameField}  # noqa: RUF012

    def save(self, commit: bool = True) -> User:
        """Set the random password, and save the user."""
        self.instance.set_password(token_urlsafe())
        person: User = super().save(commit)
        return person
