"""The site under ASGI."""

import asyncio
import subprocess
import sys

from tests.conftest import PASSWORD
from tests.tokens.clock import elapse
from tokens.testing import AsyncClient


def test_no_connection_is_kept_where_threads_come_and_go():
    """In a process of its own: the settings of the tests' connections stay as they are."""
    code = (
        "from django.db import connections; import project.asgi; print(connections.settings['default']['CONN_MAX_AGE'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"DJANGO_SETTINGS_MODULE": "tests.settings", "PATH": "", "PYTHONPATH": ""},
    )
    assert done.stdout.strip() == "0"


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
