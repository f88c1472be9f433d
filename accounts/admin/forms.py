"""The forms of a person's pages: without a password, which is nobody's business but theirs."""

from secrets import token_urlsafe

from django import forms
from django.contrib.auth.forms import UserChangeForm, UsernameField

from accounts.models import User


class UserForm(UserChangeForm):  # type: ignore[type-arg]
    password = None  # type: ignore[assignment]


class NewUserForm(forms.ModelForm):  # type: ignore[type-arg]
    """With a password that nobody has ever seen, so that a link can replace it."""

    class Meta:
        model = User
        fields = ("username", "email")
        field_classes = {"username": UsernameField}  # noqa: RUF012

    def save(self, commit: bool = True) -> User:
        self.instance.set_password(token_urlsafe())
        person: User = super().save(commit)
        return person
