"""The site under ASGI."""

import asyncio

import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.asgi import get_asgi_application
from django.db import connections

from tests.conftest import PASSWORD
from tests.programs import output_of
from tests.tokens.clock import elapse
from tokens.testing import AsyncClient


def run(code):
    """What `code` prints in a process of its own: the settings of the tests' connections stay as they are."""
    return output_of("-c", code, env={"DJANGO_SETTINGS_MODULE": "tests.settings", "PATH": ""}).strip()


def test_no_connection_is_kept_where_threads_come_and_go():
    code = (
        "from django.db import connections; import project.asgi; print(connections.settings['default']['CONN_MAX_AGE'])"
    )
    assert run(code) == "0"


@pytest.mark.parametrize(("path", "root"), [("/accounts/sessions/", ""), ("/acc/accounts/sessions/", "/acc")])
def test_below_a_path_that_a_proxy_takes_away_or_the_server_puts_back(path, root):
    """One that another path of the site begins with, too."""
    code = f"""
import asyncio
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from project.asgi import application

settings.FORCE_SCRIPT_NAME = "/acc"

async def ask():
    headers = [(b"host", b"testserver"), (b"x-forwarded-proto", b"https")]
    scope = {{"type": "http", "method": "GET", "path": {path!r}, "root_path": {root!r}, "query_string": b""}}
    site = ApplicationCommunicator(application, {{**scope, "headers": headers}})
    await site.send_input({{"type": "http.request", "body": b""}})
    print(dict((await site.receive_output(30))["headers"])[b"Location"].decode())

asyncio.run(ask())
"""
    assert run(code) == "/acc/accounts/login/?next=/acc/accounts/sessions/"


def test_the_journey_is_the_same(transactional_db, bob):
    async def journey():
        client = AsyncClient()
        form = {"username": "bob", "password": PASSWORD}
        signed_in = await client.post("/accounts/login/", form)
        home = await client.get("/")
        sessions = await client.get("/accounts/sessions/")
        return client, [signed_in.status_code, b"Hello, bob." in home.content, b"This device" in sessions.content]

    client, seen = asyncio.run(journey())
    assert seen == [302, True, True]
    elapse(16 * 60, client)
    response = asyncio.run(client.get("/"))
    assert b"Hello, bob." in response.content and "__Host-refresh" in response.cookies


@pytest.mark.parametrize(("padding", "status"), [(b"", 200), (b" " * 20_000, 413)])
def test_the_api_reads_a_chunked_body_and_not_too_much_of_it(transactional_db, bob, monkeypatch, padding, status):
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)  # the request has a thread of its own

    async def chunked():
        headers = {b"host": b"testserver", b"content-type": b"application/json", b"transfer-encoding": b"chunked"}
        scope = {"type": "http", "method": "POST", "path": "/api/auth/login", "query_string": b""}
        site = ApplicationCommunicator(get_asgi_application(), {**scope, "headers": list(headers.items())})
        for part in (b'{"username": "bob", "pass', padding, f'word": "{PASSWORD}"}}'.encode()):
            await site.send_input({"type": "http.request", "body": part, "more_body": not part.endswith(b"}")})
        start, _ = await site.receive_output(30), await site.receive_output(30)
        await site.wait(30)
        return start["status"]

    assert asyncio.run(chunked()) == status
