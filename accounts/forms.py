"""Define the forms that users fill in. Passwords are taken exactly as typed."""

from copy import copy
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib.auth import forms as auth_forms
from django.http import HttpRequest, QueryDict
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.email.tokens import CODE_DIGITS
from accounts.factors.forms import CanAddPasskeyField
from accounts.fields import NameField, TimeZoneField
from accounts.models import Passkey, User
from accounts.security import limits, reauthentication, throttle
from accounts.security.normalization import normalize_code, normalize_email
from accounts.security.validators import minimum_password_length, validate_deliverable, validate_password_length
from accounts.types import Request
from tokens.models import RefreshToken


class LoginForm(auth_forms.AuthenticationForm):
    """Ask for user name or email and password.

    There is one message for every failure, so that none reveals whether the account exists; but a user who knows the
    password of a closed account is told so.
    """

    request: HttpRequest  # The view always passes it.
    error_messages: ClassVar = {  # type: ignore[misc]
        "invalid_login": _("The user name or password isn't right. Please try again."),
        "inactive": _("The user name or password isn't right. Please try again."),
    }

    username = auth_forms.UsernameField(
        label=_("User name or email"),
        max_length=254,
        widget=forms.TextInput(attrs={"inputmode": "email"}),
    )
    remember = forms.BooleanField(label=_("Keep me signed in on this device"), required=False)
    can_add_passkey = CanAddPasskeyField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Django limits the field to the length of a user name, but an email may be longer.
        self.fields["username"].max_length = 254  # type: ignore[attr-defined]
        self.fields["username"].widget.attrs["maxlength"] = 254
        self.fields["password"].validators.append(validate_password_length)
        known = bool(self.initial.get("username"))
        self.fields["username"].widget.attrs["autofocus"] = not known
        self.fields["password"].widget.attrs["autofocus"] = known

    def clean(self) -> dict[str, object]:
        """Count the attempt before anything is hashed, and only if there is a password to hash."""
        if not {"username", "password"} <= self.cleaned_data.keys():
            return super().clean()
        account = throttle.account_key(self.cleaned_data["username"])
        throttle.hit(self.request, limits.SIGN_IN, account, self.cleaned_data["password"])
        cleaned = super().clean()
        throttle.hit(self.request, limits.SIGNED_IN, self.get_user())
        throttle.reset(self.request, limits.SIGN_IN, account)
        return cleaned

    def get_invalid_login_error(self) -> forms.ValidationError:
        if not getattr(self.request, "account_closed", False):
            return super().get_invalid_login_error()
        if not settings.SUPPORT_EMAIL:
            return forms.ValidationError(_("This account is closed. To reopen it, contact an administrator."))
        link = format_html('<a href="mailto:{0}">{0}</a>', settings.SUPPORT_EMAIL)
        return forms.ValidationError(format_html(gettext("This account is closed. To reopen it, write to {}."), link))


class UserEmailField(forms.EmailField):
    """Accept an email that mail can be sent to, and normalize it to the spelling that the site stores."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": 254, **kwargs})
        self.validators.append(validate_deliverable)

    def clean(self, value: object) -> str:
        """Return the email with its domain normalized."""
        return normalize_email(super().clean(value))


class SignUpForm(auth_forms.BaseUserCreationForm):  # type: ignore[type-arg]
    """Ask for a new account without revealing which emails have one: only the mail tells its reader."""

    class Meta:
        model = User
        fields = ("username", "email")
        field_classes: ClassVar = {"username": auth_forms.UsernameField, "email": UserEmailField}
        labels: ClassVar = {"username": _("User name"), "email": _("Email address")}
        widgets: ClassVar = {"email": forms.EmailInput(attrs={"autocomplete": "email"})}

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.instance.validate_constraints = lambda exclude=None: None  # The reason is that of validate_unique.
        _label_new_password(self.fields["password1"], self.fields["password2"])

    def validate_unique(self) -> None:
        """Leave uniqueness to the insert: a query would tell of the email as well, and of another moment."""

    def validate_password_for_user(self, user: User, password_field_name: str = "password1") -> None:  # noqa: S107 (a name)
        super().validate_password_for_user(user, password_field_name)  # type: ignore[misc]


class PasswordResetForm(auth_forms.PasswordResetForm):
    """Label Django's own form as the other pages do."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].label = _("Email address")


class SetPasswordForm(auth_forms.SetPasswordForm):  # type: ignore[type-arg]
    """Ask for a new password from a user who followed a link in a mail."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        _label_new_password(self.fields["new_password1"], self.fields["new_password2"])

    def refuse_current(self) -> None:
        """Say that the new password is the one that the user has already."""
        self.add_error("new_password1", _("This is your current password. Choose a different one."))

    def set_password_and_save(
        self,
        user: User,
        password_field_name: str = "new_password1",  # noqa: S107  (a name)
        commit: bool = True,
    ) -> User:
        """Write the password alone: the rest of `user` was read earlier and may be out of date."""
        user.set_password(self.cleaned_data[password_field_name])
        if commit:
            user.save(update_fields=["password"])
        return user


class PasswordChangeForm(SetPasswordForm, auth_forms.PasswordChangeForm):
    """Ask for the present password, which reauthenticates as well, and for a new one."""

    def __init__(self, *args: object, request: Request, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        self.fields["old_password"].label = _("Current password")
        self.fields["old_password"].validators.append(validate_password_length)

    def clean(self) -> dict[str, Any]:
        """Refuse the present password as the new one."""
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("old_password") and cleaned.get("old_password") == cleaned.get("new_password1"):
            self.refuse_current()
        return cleaned

    def clean_old_password(self) -> str:
        """Return the present password, having reauthenticated the user by it."""
        return reauthentication.reauthenticate(self.request, self.cleaned_data["old_password"])


class OwnFieldsForm(forms.ModelForm):  # type: ignore[type-arg]
    """Save the fields of the form and no others: the rest of the row was read earlier and may be out of date."""

    def save(self, commit: bool = True) -> Any:
        self.instance.save(update_fields=list(self.fields))
        return self.instance


class ProfileForm(OwnFieldsForm):
    """Ask for first and last name, and for the time zone."""

    time_zone = TimeZoneField(
        label=_("Time zone"),
        required=False,
        help_text=_("For our emails. On these pages, times follow your device."),
    )

    class Meta:
        model = User
        fields = ("first_name", "last_name", "time_zone")
        field_classes: ClassVar = {"first_name": NameField, "last_name": NameField}
        widgets: ClassVar = {
            "first_name": forms.TextInput(attrs={"autocomplete": "given-name"}),
            "last_name": forms.TextInput(attrs={"autocomplete": "family-name"}),
        }


class UsernameForm(OwnFieldsForm):
    """Ask for another user name, and say if it is taken.

    The user is signed in, and gets few attempts (limits.USERNAME).
    """

    class Meta:
        model = User
        fields = ("username",)
        field_classes: ClassVar = {"username": auth_forms.UsernameField}
        widgets: ClassVar = {"username": forms.TextInput(attrs={"autocomplete": "username"})}

    def __init__(self, data: QueryDict | None, *, request: Request) -> None:
        # Without a copy, the page would show a rejected name as the user's.
        super().__init__(data, instance=copy(request.user))
        self.request = request

    def clean_username(self) -> str:
        """Return the user name if it is a different one and nobody else has it, ignoring case. Count the attempt."""
        name: str = self.cleaned_data["username"]
        if name == self.initial["username"]:
            raise forms.ValidationError(_("That's already your user name."), code="same")
        throttle.hit(self.request, limits.USERNAME, self.request.user)
        if User.objects.by_login(name).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(_("This user name is taken."), code="unique")
        return name

    def clean(self) -> dict[str, object]:
        """Skip Django's own check for uniqueness, which would report the same error twice."""
        return self.cleaned_data


class EmailForm(forms.Form):
    """Ask for another email without revealing whether it is taken: only the mail tells its reader."""

    email = UserEmailField(label=_("New email address"), widget=forms.EmailInput(attrs={"autocomplete": "email"}))

    def __init__(self, data: QueryDict | None, *, user: User) -> None:
        super().__init__(data)
        self.user = user

    def clean_email(self) -> str:
        """Return the email if it is a different one."""
        email: str = self.cleaned_data["email"]
        if email == self.user.email:
            raise forms.ValidationError(_("That's already your email address."), code="same")
        return email


class CodeForm(forms.Form):
    """Ask for the code from the mail."""

    code = forms.CharField(
        label=_("6-digit code"),
        max_length=50,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code"}),
    )

    def clean_code(self) -> str:
        """Return the six digits. Whatever else was typed costs no attempt."""
        code = normalize_code(self.cleaned_data["code"])
        if not (code.isdecimal() and len(code) == CODE_DIGITS):
            raise forms.ValidationError(_("Enter the 6-digit code from the email."), code="no_code")
        return code


class SessionNameForm(OwnFieldsForm):
    """Ask for the name that a user gives to one of their sessions."""

    class Meta:
        model = RefreshToken
        fields = ("name",)
        field_classes: ClassVar = {"name": NameField}
        labels: ClassVar = {"name": _("Session name")}
        widgets: ClassVar = {"name": forms.TextInput(attrs={"autocomplete": "off"})}
        help_texts: ClassVar = {"name": _("For example, “Work laptop”. Leave it empty to remove the name.")}


class PasskeyNameForm(OwnFieldsForm):
    """Ask for the name of a passkey."""

    class Meta:
        model = Passkey
        fields = ("name",)
        field_classes: ClassVar = {"name": NameField}
        labels: ClassVar = {"name": _("Name")}
        widgets: ClassVar = {"name": forms.TextInput(attrs={"autocomplete": "off"})}


def _label_new_password(first: forms.Field, second: forms.Field) -> None:
    """Label the two fields of a new password as this site does."""
    least = minimum_password_length()
    first.help_text = _("Use at least %(least)d characters. Four random words work well.") % {"least": least}
    rules = {"minlength": least, "passwordrules": f"minlength: {least};"}  # for password managers
    first.widget.attrs.update(rules)
    second.widget.attrs.update(rules)
    second.label = _("Confirm password")
    second.help_text = ""
