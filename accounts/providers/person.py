"""Hold what a provider says of who has signed in there."""

from dataclasses import dataclass

from django.core.exceptions import ValidationError

from accounts.models import User


@dataclass(frozen=True, slots=True)
class Person:
    """Represent who a provider says it is."""

    subject: str
    email: str = ""
    owns_email: bool = False  # whether the provider has verified the email, and is believed
    name: str = ""  # for a user name
    amr: tuple[str, ...] = ()
    acr: str = ""


def valid_email(email: object) -> str:
    """Return `email` as this site writes it, or "" if it is none that an account could have."""
    try:
        return str(User._meta.get_field("email").clean(email if isinstance(email, str) else "", None))
    except ValidationError:
        return ""


def is_short_text(value: str, longest: int) -> bool:
    """Return whether `value` is at most `longest` characters of printable ASCII."""
    return len(value) <= longest and value.isascii() and value.isprintable()
