"""Validate user names, emails and passwords."""

import regex
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator, MaxLengthValidator, RegexValidator
from django.utils.deconstruct import deconstructible
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, ngettext_lazy

from accounts.security.normalization import normalize_email

MAXIMUM_PASSWORD_LENGTH = 1024

# For fields that check a password. They have no `max_length`, because browsers would silently truncate what is pasted.
validate_password_length = MaxLengthValidator(
    MAXIMUM_PASSWORD_LENGTH,
    ngettext_lazy(
        "A password can have at most %(limit_value)d character.",
        "A password can have at most %(limit_value)d characters.",
        "limit_value",
    ),
)


def validate_deliverable(email: str) -> None:
    """Raise ValidationError if no mail could be sent to `email`: a part of it is not ASCII once it is normalized.

    Before the @, Django's own validator accepts a dotless i, a Kelvin sign and a long s; after it, hosts that cannot be
    encoded.
    """
    if normalize_email(email).isascii():
        return
    if email.rpartition("@")[0].isascii():
        raise ValidationError(EmailValidator.message, code="invalid")
    raise ValidationError(_("Before the @, use only unaccented letters, digits and symbols."))


def may_become_link(text: str) -> bool:
    """Return whether mail programs may make a link of `text`: it could be a host, a URL or an email."""
    return any(sign in text for sign in ".:@")


@deconstructible
class UsernameValidator(RegexValidator):
    """Refuse "@" above all, so that a user name is never mistaken for an email and one field accepts both."""

    regex = r"^[\w.+-]+\Z"
    message = gettext_lazy("Use only letters, digits and . + - _ in your user name.")


# The scripts in everyday use (Unicode, UAX #31, table 5), and those that are written together: Japanese, Chinese and
# Korean with Latin letters. Elsewhere a second script is there to deceive: a Cyrillic o looks like a Latin one.
_SCRIPTS = (
    "Arab Armn Beng Bopo Cyrl Deva Ethi Geor Grek Gujr Guru Hang Hani Hebr Hira Kana Khmr Knda Laoo Latn Mlym Mymr"
    " Orya Sinh Taml Telu Thaa Thai Tibt Latn+Hani+Hira+Kana Latn+Hani+Bopo Latn+Hani+Hang"
)
# One class of characters for each, so the pattern is linear. What is no letter is refused by UsernameValidator.
_NAMES = "|".join(
    r"[\W_0-9" + "".join(rf"\p{{Script_Extensions={script}}}" for script in scripts.split("+")) + "]*"
    for scripts in _SCRIPTS.split()
)


@deconstructible
class ScriptValidator(RegexValidator):
    """Refuse letters that cannot be seen, and scripts that are not written together.

    This is the level “highly restrictive” of Unicode's security mechanisms (UTS #39 §5.2).
    """

    regex = regex.compile(  # type: ignore[assignment]  # It is used as one of `re`.
        rf"\A(?!.*\p{{Default_Ignorable_Code_Point}})(?:{_NAMES})\Z"
    )
    message = gettext_lazy("Use letters from one alphabet only, such as Latin or Greek.")


class MaximumLengthValidator:
    """Limit what the hasher has to read. Longer passwords are refused and never cut: every character counts."""

    def __init__(self, max_length: int = MAXIMUM_PASSWORD_LENGTH) -> None:
        self.max_length = max_length

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        """Raise ValidationError if `password` has more than `max_length` characters."""
        if len(password) > self.max_length:
            raise ValidationError(
                ngettext(
                    "This password is too long. Use at most %(max_length)d character.",
                    "This password is too long. Use at most %(max_length)d characters.",
                    self.max_length,
                ),
                code="password_too_long",
                params={"max_length": self.max_length},
            )

    def get_help_text(self) -> str:
        """Return the rule in words."""
        return _("Use at most %(max_length)d characters.") % {"max_length": self.max_length}
