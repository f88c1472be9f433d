"""Authenticate a user by user name or email and password."""

from asgiref.sync import sync_to_async
from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from accounts.models import User
from accounts.security.validators import MAXIMUM_PASSWORD_LENGTH


class UsernameOrEmailBackend(ModelBackend):
    """Accept a user name or an email; permissions are Django's."""

    @sensitive_variables("password")
    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: object,
    ) -> User | None:
        """Return the active user with these credentials, or None.

        An unknown or inactive user, or one without a password or with another one, costs one query and the same hashes,
        so that neither the response nor its time reveals which it was. Only the request of a user who knows the
        password is marked with `account_closed`.
        """
        if username is None or password is None or len(password) > MAXIMUM_PASSWORD_LENGTH:
            return None
        user = User.objects.first_by_login(username) or User()
        if not user.check_password(password):
            return None
        if self.user_can_authenticate(user):
            return user
        if request is not None:
            request.account_closed = True  # type: ignore[attr-defined]
        return None

    async def aauthenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: object,
    ) -> User | None:
        """Call `authenticate` in a thread, since hashing would block the event loop."""
        return await sync_to_async(self.authenticate)(request, username, password, **kwargs)
