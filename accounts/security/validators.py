"""Validate and normalize user names, emails and passwords."""

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, RegexValidator
from django.utils.deconstruct import deconstructible
from django.utils.encoding import punycode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, ngettext_lazy

MAXIMUM_PASSWORD_LENGTH = 1024

# For fields that check a password. They have no `max_length`, because browsers would silently truncate what is pasted.
validate_password_length = MaxLengthValidator(
    MAXIMUM_PASSWORD_LENGTH,
    ngettext_lazy(
        "A password has at most %(limit_value)d character.",
        "A password has at most %(limit_value)d characters.",
        "limit_value",
    ),
)


def validate_ascii_mailbox(email: str) -> None:
    """Raise ValidationError if the part before the @ is not ASCII, since no mail could be sent there.

    Django's own validator accepts a dotless i, a Kelvin sign and a long s.
    """
    if not email.rpartition("@")[0].isascii():
        raise ValidationError(_("Before the @, an address has only letters without accents, digits and signs."))


def normalize_email_domain(email: str) -> str:
    """Return `email` with its domain as mail servers write it, so that one mailbox has one spelling.

    “bob@Bücher.example” becomes “bob@xn--bcher-kva.example”. A domain that cannot be encoded stays as it is.
    """
    mailbox, at, host = email.rpartition("@")
    try:
        return f"{mailbox}{at}{punycode(host).lower()}" if at else email
    except UnicodeError:
        return email


@deconstructible
class UsernameValidator(RegexValidator):
    """Refuse "@" above all, so that a user name is never mistaken for an email and one field accepts both."""

    regex = r"^[\w.+-]+\Z"
    message = gettext_lazy("A user name has only letters, digits and the signs . + - _ in it.")


class MaximumLengthValidator:
    """Limit what the hasher has to read. Longer passwords are refused and never cut: every character counts."""

    def __init__(self, max_length: int = MAXIMUM_PASSWORD_LENGTH) -> None:
        self.max_length = max_length

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        """Raise ValidationError if `password` has more than `max_length` characters."""
        if len(password) > self.max_length:
            raise ValidationError(
                ngettext(
                    "This password is too long. It may have %(max_length)d character.",
                    "This password is too long. It may have %(max_length)d characters.",
                    self.max_length,
                ),
                code="password_too_long",
                params={"max_length": self.max_length},
            )

    def get_help_text(self) -> str:
        """Return the rule in words."""
        return _("At most %(max_length)d characters, of any kind.") % {"max_length": self.max_length}
