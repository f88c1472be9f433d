"""docs/howto/databases.md: through a real pgbouncer in transaction mode, and with too few connections."""

import asyncio
import re
import subprocess
import sys
from urllib.parse import quote, urlencode

import pytest
from django.contrib.auth.hashers import make_password

from tests import pgbouncer
from tests.conftest import PASSWORD
from tests.resilience import database
from tests.resilience.browser import ACCESS, Browser
from tests.resilience.server import ROOT

pytestmark = [pytest.mark.once, pytest.mark.slow]

OPTION = "?DISABLE_SERVER_SIDE_CURSORS=true"
PEOPLE = 8
COMMANDS = ("sessionreport", "cleartokens", "tidyaccounts", "migrate")
CHECK = ("check", "--tag", "database", "--database", "default")  # as in ops/systemd
# While a cursor of one connection is open, another takes the server's connection that it is in.
CURSOR = """
from django.db import connection
from tokens.models import RefreshToken
rows = RefreshToken.objects.iterator(chunk_size=1)
next(rows)
other = connection.copy()
other.set_autocommit(False)
other.cursor().execute("SELECT 1")
print(1 + len(list(rows)), "rows")
with connection.cursor() as cursor:
    cursor.execute("SELECT current_setting('statement_timeout'), current_setting('lock_timeout')")
    print(cursor.fetchone())
"""


@pytest.fixture(scope="module")
def server():
    with database.mortal() as server:
        yield server


@pytest.fixture(scope="module")
def pooled(server):
    with pgbouncer.pooling(server.folder) as url:
        yield url


def manage(site, *command):
    return subprocess.Popen(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env=site.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def said(site, *command):
    return manage(site, *command).communicate(timeout=120)[0]


def test_all_goes_through_pgbouncer_once_cursors_are_off(installed, server, pooled, tell):
    site = installed(pooled + OPTION)
    jars = site.jars(PEOPLE)
    hashed = make_password(PASSWORD, hasher="pbkdf2_sha256")
    changes = f"password = '{hashed}', is_staff = true, is_superuser = true"
    database.execute(server.url, f"UPDATE accounts_user SET {changes} WHERE username = 'person0'")  # noqa: S608
    port = site.serve().port

    running = [manage(site, *command.split()) for command in COMMANDS]
    browsers = [Browser(port, jar) for jar in jars[1:]]
    asyncio.run(refresh_and_administer(browsers, Browser(port, {})))
    for command in running:
        text = command.communicate(timeout=120)[0]
        assert command.returncode == 0, text
    assert not any(browser.deleted for browser in browsers)
    read = said(site, "shell", "-c", CURSOR)
    assert f"{PEOPLE + 1} rows" in read and "('20s', '5s')" in read  # pgbouncer has set the deadlines
    assert "W007" not in said(site, *CHECK)


async def refresh_and_administer(browsers, administrator):
    for _ in range(4):
        for browser in browsers:
            browser.jar.pop(ACCESS, None)
        answers = await asyncio.gather(*(browser.get("/accounts/sessions/") for browser in browsers))
        assert all(answer.signed_in for answer in answers)
    page = await administrator.get("/accounts/login/")
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[1]
    form = {"csrfmiddlewaretoken": token, "username": "person0", "password": PASSWORD}
    assert (await administrator.request("POST", "/accounts/login/", urlencode(form))).status == 302
    for model in ("accounts/user", "tokens/refreshtoken", "accounts/securityevent"):
        assert "person0" in (await administrator.get(f"/admin/{model}/")).text
    for browser in (*browsers, administrator):
        browser.close()


def test_a_cursor_is_lost_without_the_setting_and_a_check_says_so(installed, server, pooled):
    with database.one_more(server.url) as url:
        site = installed(f"{pooled.rpartition('/')[0]}/{url.rpartition('/')[2]}")
        site.jars(2)
        assert "does not exist" in said(site, "shell", "-c", CURSOR)
        assert "project.W007" in said(site, *CHECK)


@pytest.mark.parametrize(("workers", "warned"), [(16, False), (24, True)])
def test_a_check_says_if_the_threads_can_open_more_connections_than_there_are(installed, server, workers, warned):
    site = installed(server.url, WEB_CONCURRENCY=str(workers), CACHE_URL="redis://nowhere")
    assert ("project.W006" in said(site, *CHECK)) == warned


def test_a_check_does_not_fail_without_the_database(installed, tmp_path):
    site = installed(f"postgres://postgres@/{quote(str(tmp_path), safe='')}/none", CACHE_URL="redis://nowhere")
    assert "no issues" in said(site, *CHECK)
