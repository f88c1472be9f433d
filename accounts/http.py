"""Requests as the middleware hands them to the views of this app."""

from django.http import HttpRequest

from accounts.models import User
from tokens.signin import SignIn


class Request(HttpRequest):
    """Only a type: what every request bears. On closed pages, `user` is the person who asks."""

    user: User
    tokens: SignIn
