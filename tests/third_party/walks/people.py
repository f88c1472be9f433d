"""People and their browsers, in whichever project this process runs."""

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client

PASSWORD = "correct horse battery"


def person(name: str, *, admin: bool = False) -> Any:
    people = get_user_model().objects
    make = people.create_superuser if admin else people.create_user
    return make(name, f"{name}@example.org", PASSWORD)


def browser() -> Client:
    """One that CSRF is checked for, and that sees what a browser would see of an error."""
    return Client(enforce_csrf_checks=True)


def send(client: Client, url: str, **fields: Any) -> Any:
    """Opens the page of a form, and sends the form with what it had in it for CSRF."""
    client.get(url)
    return client.post(url, {**fields, "csrfmiddlewaretoken": client.cookies[settings.CSRF_COOKIE_NAME].value})


def log_in(client: Client, name: str, url: str = "/accounts/login/", **fields: Any) -> Any:
    return send(client, url, username=name, password=PASSWORD, **fields)


def post(client: Client, url: str, **fields: Any) -> Any:
    """Sends a form that stood on another page."""
    return client.post(url, {**fields, "csrfmiddlewaretoken": client.cookies[settings.CSRF_COOKIE_NAME].value})


def on(client: Client, url: str = "/who/") -> str:
    """What the page says."""
    response = client.get(url)
    assert response.status_code == 200, (response.status_code, response.headers)
    return response.content.decode()
