"""The token of a link to a new password: what it dies of, and what it outlives."""

from django.conf import settings
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.utils.http import base36_to_int

from accounts.models import User


class ResetTokenGenerator(PasswordResetTokenGenerator):
    """A token dies with its hour, with the email and with the password, and so when it is used.

    Django's own dies with the next sign-in as well: a thief who knows the password, or a forgotten script, would make
    every link useless before its owner has read the mail. Nor does it outlive an upgrade of the password's hash.
    """

    key_salt = "accounts.security.reset_tokens"

    def _make_hash_value(self, user: User, timestamp: int) -> str:
        return f"{user.pk} {user.password_version} {timestamp} {user.email}"

    def is_expired(self, token: str) -> bool:
        """Return whether `token` itself says that it is too old, which tells nothing about any account."""
        made_at, dash, _ = token.partition("-")
        try:
            age = self._num_seconds(self._now()) - base36_to_int(made_at)
        except ValueError:
            return False
        return bool(dash) and age > settings.PASSWORD_RESET_TIMEOUT


reset_tokens = ResetTokenGenerator()
