"""Passkeys and an app for the tests of this folder."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pyotp
import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from accounts import models
from accounts.factors import totp
from tests.conftest import PASSWORD
from tests.factors.authenticator import Authenticator
from tests.tokens.conftest import _reads_name_their_database

__all__ = ["_reads_name_their_database"]  # a fixture
SECOND_FACTOR, SECURITY = reverse("second_factor"), reverse("security")


class PasskeyForms(HTMLParser):
    """The options of the forms of a page, by what the browser is to do, and what it is told."""

    def __init__(self, page: Any) -> None:
        super().__init__()
        self.options: dict[str, Any] = {}
        self.signals: dict[str, Any] = {}
        self.feed(page.content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "form" and "data-passkey" in found:
            self.options[str(found["data-passkey"])] = json.loads(found["data-options"] or "")
        if "data-signal" in found:
            self.signals[str(found["data-signal"])] = json.loads(found["data-about"] or "")


def options(page: Any, kind: str = "get") -> dict[str, Any]:
    """What the form of `page` asks a passkey for."""
    return dict(PasskeyForms(page).options[kind])


def signals(page: Any) -> dict[str, Any]:
    return PasskeyForms(page).signals


def give_password(client: Any, **more: str) -> Any:
    """What Bob gets once he has given his password."""
    return client.post(reverse("login"), {"username": "bob", "password": PASSWORD, **more})


def is_signed_in(client: Any) -> bool:
    return bool(client.get(reverse("profile")).status_code == 200)


@pytest.fixture
def clock() -> Iterator[Any]:
    """It stands still in the middle of a step until the test shifts it."""
    with time_machine.travel(timezone.now().replace(second=15, microsecond=0), tick=False) as clock:
        yield clock


@pytest.fixture
def secret(bob: models.User, clock: Any) -> str:
    """What Bob's app and we know."""
    secret = totp.new_secret()
    models.Authenticator.objects.create(user=bob, secret=totp.encrypt(secret))
    return secret


@pytest.fixture
def now(secret: str) -> Callable[..., str]:
    """`now(steps)`: the code that the app shows now, or so many steps away."""
    return lambda steps=0: pyotp.TOTP(secret).at(timezone.now() + timedelta(seconds=30 * steps))


@pytest.fixture
def authenticator(settings) -> Authenticator:
    """A synced one."""
    return Authenticator(settings.TOKENS_ISSUER, "testserver")


@pytest.fixture
def enrol(authenticator) -> Callable[..., Any]:
    """`enrol(client)`: somebody who has just signed in adds a passkey by the pages for it."""

    def enrol(client: Any, device: Authenticator = authenticator) -> Any:
        page = client.post(reverse("passkey_add"))
        return client.post(reverse("passkey_add"), {"response": device.create(options(page, "create"))})

    return enrol
