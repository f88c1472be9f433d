"""Fixtures in place of pytest-django's: `pytest_plugins = ["tokens.pytest_fixtures"]` in conftest.py."""

from __future__ import annotations

from typing import Any

import pytest

from .testing import AsyncClient, Client


@pytest.fixture
def client() -> Client:
    """Return a client that is signed in nowhere."""
    return Client()


@pytest.fixture
def async_client() -> AsyncClient:
    """Return an async client that is signed in nowhere."""
    return AsyncClient()


@pytest.fixture
def admin_client(db: None, admin_user: Any) -> Client:
    """Return a client in which pytest-django's `admin_user` is signed in."""
    client = Client()
    client.force_login(admin_user)
    return client


@pytest.fixture
def async_admin_client(db: None, admin_user: Any) -> AsyncClient:
    """Return an async client in which pytest-django's `admin_user` is signed in."""
    client = AsyncClient()
    client.force_login(admin_user)
    return client
