"""Passkeys and an app for the tests of this folder."""

import json
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from accounts import models
from accounts.factors import totp
from tests.factors.authenticator import Authenticator


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


@pytest.fixture(autouse=True)
def _reads_name_their_database(settings: Any) -> None:
    settings.DATABASE_ROUTERS = ["tests.tokens.replica.Router"]


@pytest.fixture
def clock() -> Iterator[Any]:
    """It stands still in the middle of a step until the test shifts it."""
    with time_machine.travel(timezone.now().replace(second=15, microsecond=0), tick=False) as clock:
        yield clock


@pytest.fixture
def secret(bob) -> str:
    """What Bob's app and we know."""
    secret = totp.new_secret()
    models.Authenticator.objects.create(user=bob, secret=totp.encrypt(secret))
    return secret


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
