"""People, sign-ins and a browser for every test."""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import SyncToAsync
from django.core.cache import cache
from django.db import connections
from django.urls import reverse

from tests import chromium, postgres
from tests.settings import FOLDER
from tests.smtp import MailServer

PASSWORD = "correct horse battery"


def pytest_configure() -> None:
    FOLDER.mkdir(mode=0o700)


def pytest_unconfigure() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Mark browser tests, and order all: those on PostgreSQL begin at once, in a process of their own."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
    yield
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    if item.name == "test_it_is_another_database":
        return 0
    if item.get_closest_marker("browser"):
        return 4  # Playwright leaves a running event loop, and async_to_sync refuses that
    if item.path.parent.name in ("faults", "machines"):
        return 3  # whole sites under load, which have the machine for themselves
    return 2 if item.name == "test_everything_holds_there_too" else 1


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """Async tests use the database in asgiref's one thread; PostgreSQL drops no database that is still in use."""
    yield
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    cache.clear()


@pytest.fixture(autouse=True)
def _nothing_revoked() -> None:
    """This process has just asked what is revoked, whatever the tests before did, and has heard of nothing."""
    from tokens.revocation import local_revocation_list

    local_revocation_list.forget()
    local_revocation_list.entry("", lambda seconds: [])


@pytest.fixture(autouse=True)
def _mails_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The postman comes in the thread that committed, and finds `mail.outbox`: there is no thread to wait for."""
    from accounts import postman

    monkeypatch.setattr(postman, "wake", postman.deliver)
    monkeypatch.setattr(postman, "start", lambda: None)


@pytest.fixture(autouse=True)
def _tallies_when_asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is written a minute later, in the midst of another test."""
    from accounts import tallies

    monkeypatch.setattr(tallies.Counts, "_start", lambda self: None)
    yield
    tallies._counts.clear()


@pytest.fixture
def smtp(settings) -> Iterator[MailServer]:
    """A real mail server, to which the mails of this test go; other processes reach it by its `url`."""
    with MailServer() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        yield server


@pytest.fixture
def client():
    """A browser without JavaScript: keeps cookies, follows nothing by itself."""
    from tokens.testing import Client

    return Client()


@pytest.fixture
def alice(db, django_user_model):
    """An administrator."""
    return django_user_model.objects.create_superuser("alice", "alice@example.org", PASSWORD)


@pytest.fixture
def bob(db, django_user_model):
    return django_user_model.objects.create_user("bob", "bob@example.org", PASSWORD)


@pytest.fixture
def sign_in() -> Callable[..., Any]:
    """`sign_in(client, user, **fields)` posts the real form, as people do; returns the response, a redirect."""

    def sign_in(client, user, *, password: str = PASSWORD, **fields):
        response = client.post(reverse("login"), {"username": user.get_username(), "password": password, **fields})
        assert response.status_code == 302, response.content.decode()
        return response

    return sign_in


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a real PostgreSQL, started for these tests; skips where there is none."""
    with postgres.running() as url:
        yield url


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any], browser_type: Any) -> dict[str, Any]:
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright's event loop runs in this thread
    if (path := chromium.executable(browser_type)) is None:
        postgres.give_up("No Chromium here: `apt install chromium`, or `playwright install chromium`.")
    return {**browser_type_launch_args, "executable_path": path}
