"""People, sign-ins and a browser for every test."""

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import SyncToAsync
from django.core.cache import cache
from django.db import connections
from django.urls import reverse
from playwright.sync_api import expect

from tests import chromium, postgres
from tests.settings import FOLDER
from tests.smtp import MailServer
from tests.third_party import pythons

HERE = Path(__file__).parent
PASSWORD = "correct horse battery"
FAST = {"accounts", "contrib", "tokens"}  # folders whose tests call the code, in this process
STARTS_PROGRAMS = {"browser", "live_server", "postgres_url", "smtp"}


def pytest_configure() -> None:
    FOLDER.mkdir(mode=0o700)


def pytest_unconfigure() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)


def pytest_report_header() -> str:
    return f"other versions: {'; '.join(map(str, pythons.found()))}"


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a case by its place if its value is long or tells a place in memory: all workers need the same names."""
    return argname if type(val) is object or (isinstance(val, str) and len(val) > 30) else None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Mark what follows from a test's folder and fixtures, before `-m` selects and the order is drawn."""
    for item in items:
        mark(item)
    yield
    # The run on PostgreSQL takes longest, so that one worker has to begin with it.
    items.sort(key=lambda item: "second_run" not in getattr(item, "fixturenames", ()))


def mark(item: pytest.Item) -> None:
    """Add the markers `browser`, `database` and `fast`, which no test has to carry itself."""
    fixtures = set(getattr(item, "fixturenames", ()))
    django_db = item.get_closest_marker("django_db")
    if "browser" in fixtures:
        item.add_marker("browser")
    if django_db or fixtures & {"db", "transactional_db"}:
        item.add_marker("database")
    commits = "transactional_db" in fixtures or (django_db and django_db.kwargs.get("transaction"))
    alone = not commits and not fixtures & STARTS_PROGRAMS and not item.get_closest_marker("slow")
    if alone and item.path.relative_to(HERE).parts[0] in FAST:
        item.add_marker("fast")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[object]:
    """Hide the event loop that Playwright leaves running in the thread: beside one, async_to_sync refuses to run, and
    Django has another connection. So it is hidden from all fixtures of a test without a browser, too."""
    loop = None if "browser" in getattr(item, "fixturenames", ()) else asyncio._get_running_loop()
    if loop:
        asyncio._set_running_loop(None)
    try:
        return (yield)
    finally:
        if loop:
            asyncio._set_running_loop(loop)


@pytest.fixture(scope="session")
def browser(browser: Any) -> Iterator[Any]:
    """Playwright's, which needs its loop to end, whichever test is the last. Busy machines take their time."""
    expect.set_options(timeout=60_000)
    loop = asyncio._get_running_loop()
    yield browser
    asyncio._set_running_loop(loop)


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
    """The mail worker runs in the thread that committed, and finds `mail.outbox`: there is no thread to wait for."""
    from accounts.mails import worker

    monkeypatch.setattr(worker, "notify", worker.send_due)
    monkeypatch.setattr(worker, "start", lambda: None)


@pytest.fixture
def committing(django_capture_on_commit_callbacks: Any) -> Any:
    """`with committing(): ...` does what waits for a commit: mails go out."""
    return partial(django_capture_on_commit_callbacks, execute=True)


@pytest.fixture
def smtp(settings) -> Iterator[MailServer]:
    """A real mail server, to which the mails of this test go; other processes reach it by its `url`."""
    with MailServer() as server:
        server.use(settings)
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


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """`tell(line)` prints a line of figures, whether or not the test passes."""

    def tell(line: str) -> None:
        with capsys.disabled():
            print(f"\n  {line}")

    return tell


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
