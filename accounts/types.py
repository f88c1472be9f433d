"""Type requests as the middleware hands them to the views of this app."""

from accounts.models import User
from tokens.session import TokenRequest


class Request(TokenRequest):
    """Describe what every request has. On pages that require a sign-in, `user` is the user who signed in."""

    user: User
