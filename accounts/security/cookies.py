"""Set and delete the cookies of this app, each with the same attributes: only its lifetime differs."""

from datetime import timedelta

from django.conf import settings
from django.http import HttpResponseBase


def write(response: HttpResponseBase, name: str, value: str, lifetime: timedelta) -> None:
    """Set a cookie that no script reads, and that no form of another site brings."""
    response.set_cookie(name, value, max_age=lifetime, secure=settings.COOKIES_SECURE, httponly=True, samesite="Lax")


def delete(response: HttpResponseBase, name: str) -> None:
    """Delete a cookie; Django adds Secure if its name asks for that."""
    response.delete_cookie(name, samesite="Lax")
