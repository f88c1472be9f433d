"""A provider that everything goes well with, unless a test says otherwise."""

import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any

import pytest
from django.urls import reverse

from accounts.providers import client as provider_client
from tests.factors.conftest import authenticator, enrol  # noqa: F401  (fixtures)
from tests.observability.conftest import metrics  # noqa: F401
from tests.providers.issuer import Issuer, running

CALLBACK = "/accounts/login/acme/callback/"


def is_signed_in(client: Any) -> bool:
    return bool(client.get(reverse("sessions")).status_code == 200)


@pytest.fixture(scope="module")
def _server() -> Iterator[Issuer]:
    with running() as server:
        yield server


@pytest.fixture
def issuer(_server, settings) -> Issuer:
    """Known here as `acme`, and believed."""
    _server.behave()
    provider_client.clear_cache()
    settings.PROVIDERS = [
        {
            "name": "acme",
            "label": "Acme",
            "issuer": _server.url,
            "client_id": "us",
            "client_secret": "secret",
            "trusted_for_emails": True,
            "private_network": True,
        }
    ]
    return _server


@pytest.fixture
def leave() -> Callable[..., str]:
    """`leave(client, **fields)` presses the button; returns where the page leads."""

    def leave(client: Any, url: str = reverse("provider_login", kwargs={"name": "acme"}), **fields: str) -> str:
        page = client.post(url, fields)
        assert page.status_code == 200, page.headers
        return unescape(re.search(r'content="0;url=([^"]+)"', page.content.decode())[1])  # type: ignore[index]

    return leave


@pytest.fixture
def come_back(issuer) -> Callable[..., Any]:
    """`come_back(client, url)` comes back from the provider at `url`, where somebody has signed in."""

    return lambda client, url, **changed: client.get(CALLBACK, {**issuer.authorize(url), **changed})


@pytest.fixture
def sign_in_with(leave, come_back) -> Callable[..., Any]:
    """`sign_in_with(client)` signs in by the provider."""
    return lambda client, **fields: come_back(client, leave(client, **fields))
