"""Requests as the middleware hands them to the views of this app."""

from accounts.models import User
from tokens.session import TokenRequest


class Request(TokenRequest):
    """Only a type: what every request bears. On closed pages, `user` is the person who asks."""

    user: User
