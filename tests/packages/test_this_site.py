"""The server of this site, as in production, takes over the sessions that Django made for the same people."""

import asyncio
import json
import subprocess
import sys

import pytest

from tests.faults import database
from tests.faults.browser import ACCESS, REFRESH, Browser, Lost
from tests.faults.fate import Fate
from tests.faults.server import ROOT, Site

pytestmark = [pytest.mark.once, pytest.mark.slow]

TABS = 6


@pytest.fixture
def site(tmp_path):
    with Site(tmp_path, f"sqlite:///{tmp_path}/db.sqlite3", TOKENS_ADOPT_SESSIONS="sessionid") as site:
        yield site


def test_nobody_is_signed_out(site):
    jars = made_by_django(site, "alice", "bob")
    server = site.serve()
    asyncio.run(walk(*(Browser(server.port, jar) for jar in jars)))
    url = site.environment["DATABASE_URL"]
    assert database.execute(url, "SELECT count(*) FROM django_session") == [(0,)]
    rows = database.execute(url, "SELECT method, persistent, revoked_at FROM tokens_refreshtoken")
    assert rows == [("moved", 1, None)] * 2


def made_by_django(site, *names):
    done = subprocess.run(
        [sys.executable, "-m", "tests.packages.plain", *names],
        cwd=ROOT,
        env=site.environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def walk(alice, bob):
    tabs = [is_signed_in(alice, path) for path in ("/", "/accounts/sessions/") * (TABS // 2)]
    await asyncio.gather(*tabs)
    await goes_on(alice)

    with pytest.raises(Lost):
        await bob.get("/", Fate(lost="response"))
    await is_signed_in(bob, "/accounts/profile/")
    await goes_on(bob)


async def is_signed_in(browser, path):
    assert (await browser.get(path)).signed_in


async def goes_on(browser):
    assert {ACCESS, REFRESH} <= browser.jar.keys() and "sessionid" not in browser.jar
    del browser.jar[ACCESS]
    await is_signed_in(browser, "/accounts/sessions/")
    browser.close()
