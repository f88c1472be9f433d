"""Browsers with sessions as Django leaves them."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from django.conf import settings as live
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

from tokens.testing import Client

OLD = "sessionid"
DATABASE = "django.contrib.sessions.backends.db"
SIGNED = "django.contrib.sessions.backends.signed_cookies"


@pytest.fixture(autouse=True)
def kept(request: pytest.FixtureRequest, settings: Any) -> str:
    """The site keeps its sessions as it did ("own"), or has moved those to signed cookies of another name."""
    kept: str = getattr(request, "param", "own")
    settings.TOKENS_ADOPT_SESSIONS = OLD
    if kept == "own":
        settings.SESSION_COOKIE_NAME, settings.SESSION_ENGINE = OLD, DATABASE
        settings.SESSION_EXPIRE_AT_BROWSER_CLOSE = False
    return kept


either_way = pytest.mark.parametrize("kept", ["own", "foreign"], indirect=True)


@pytest.fixture
def old(db: None) -> Callable[..., Client]:
    """`old(user, **data)`: a browser with a session as Django's `login()` leaves it, or an anonymous one."""

    def old(user: Any = None, engine: str = DATABASE, **data: object) -> Client:
        store: Any = import_module(engine).SessionStore()
        if user:
            store[SESSION_KEY] = str(user.pk)
            store[BACKEND_SESSION_KEY] = live.AUTHENTICATION_BACKENDS[0]
            store[HASH_SESSION_KEY] = user.get_session_auth_hash()
        store.update(data)
        store.save()
        browser = Client()
        browser.cookies[OLD] = store.session_key
        return browser

    return old
