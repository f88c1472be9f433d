"""The forms of a person's pages: without a password, which is nobody's business but theirs."""

from secrets import token_urlsafe

from django import forms
from django.contrib.auth.forms import UserChangeForm, UsernameField
from django.contrib.auth.hashers import make_password
from django.utils.translation import gettext_lazy as _

from accounts.email.ownership import find_owner
from accounts.models import User


class OwnedEmailMixin:
    """Refuses the address of somebody else, although the account's own is still to be confirmed."""

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]  # type: ignore[attr-defined]
        if find_owner(email, other_than=self.instance):  # type: ignore[attr-defined]
            raise forms.ValidationError(_("Somebody has an account with this e-mail address."), code="unique")
        return email


class UserForm(OwnedEmailMixin, UserChangeForm):  # type: ignore[type-arg]
    password = None  # type: ignore[assignment]


class NewUserForm(OwnedEmailMixin, forms.ModelForm):  # type: ignore[type-arg]
    """With a password that nobody has ever seen, so that a link can replace it."""

    class Meta:
        model = User
        fields = ("username", "email")
        field_classes = {"username": UsernameField}  # noqa: RUF012

    def save(self, commit: bool = True) -> User:
        self.instance.password = make_password(token_urlsafe())
        person: User = super().save(commit)
        return person
