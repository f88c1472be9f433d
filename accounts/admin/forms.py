"""Define the forms of a user's pages in the admin; no administrator sets a password."""

from secrets import token_urlsafe

from django import forms
from django.contrib.auth.forms import UserChangeForm, UsernameField
from django.utils.translation import gettext_lazy as _

from accounts.email.ownership import find_owner
from accounts.fields import NameField
from accounts.models import User


class OwnedEmailMixin:
    """Refuse the email of another account, even if the user's own is not confirmed yet."""

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]  # type: ignore[attr-defined]
        if find_owner(email, other_than=self.instance):  # type: ignore[attr-defined]
            raise forms.ValidationError(_("Another account already uses this email address."), code="unique")
        return email


class UserForm(OwnedEmailMixin, UserChangeForm):  # type: ignore[type-arg]
    """Edit a user, without the password."""

    password = None  # type: ignore[assignment]

    class Meta(UserChangeForm.Meta):  # type: ignore[name-defined, misc]
        field_classes = {"username": UsernameField, "first_name": NameField, "last_name": NameField}  # noqa: RUF012


class NewUserForm(OwnedEmailMixin, forms.ModelForm):  # type: ignore[type-arg]
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
