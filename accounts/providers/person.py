"""Hold what a provider says of who has signed in there."""

from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from accounts.security.normalization import MAXIMUM_LOGIN_LENGTH, normalize_email
from accounts.security.validators import validate_deliverable


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
    """Return `email` as this site writes it, or "" if it is none that mail can be sent to."""
    try:
        validate_email(email if isinstance(email, str) else "")
        validate_deliverable(str(email))
    except ValidationError:
        return ""
    normalized = normalize_email(str(email))
    return normalized if len(normalized) <= MAXIMUM_LOGIN_LENGTH else ""
