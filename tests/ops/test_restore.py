"""The commands of docs/howto/restore.md, on a real PostgreSQL: what came back with the backup is ended again."""

import asyncio
import os
import re
import subprocess
import sys
from urllib.parse import urlencode

import pytest
from django.contrib.auth.hashers import make_password

from tests.conftest import PASSWORD
from tests.resilience import database
from tests.resilience.browser import Browser
from tests.resilience.server import ROOT, Site

pytestmark = [pytest.mark.once, pytest.mark.slow]

PAGE = (ROOT / "docs/howto/restore.md").read_text()
# What this machine has instead: no units, the log in a file, and one user.
INSTEAD = """
systemctl() { echo "$*" >> "$FOLDER/units"; }
journalctl() { cat "$LOG"; }
runuser() { shift 3; "$@"; }
manage() (set -a; . "$ENVIRONMENT"; "$PYTHON" manage.py "$@")
set -eu
"""


@pytest.fixture
def sojourn(tmp_path):
    """An installation whose database and user have the page's names, and `run(block)` for the page's commands."""
    with database.mortal() as server:
        for statement in ("CREATE ROLE sojourn LOGIN", "CREATE DATABASE sojourn OWNER sojourn"):
            database.execute(server.url, statement)
        with Site(tmp_path, server.url.replace("postgres@", "sojourn@").removesuffix("postgres") + "sojourn") as site:
            file = tmp_path / "environment"
            file.write_text("".join(f"{name}='{value}'\n" for name, value in site.environment.items()))

            def run(commands):
                commands = commands.replace("/var/backups", str(tmp_path)).replace("ops/manage", "manage")
                given = {"PGHOST": str(server.folder), "PGUSER": "postgres", "LOG": str(site.log)}
                given |= {"ENVIRONMENT": str(file), "PYTHON": sys.executable}
                programs = f"{server.binaries}:{os.environ['PATH']}"
                environment = {"PATH": programs, "FOLDER": str(tmp_path), **given}
                done = subprocess.run(
                    ["bash", "-c", INSTEAD + commands], cwd=ROOT, env=environment, capture_output=True, text=True
                )
                assert done.returncode == 0, done.stdout + done.stderr
                return done.stdout

            yield site, run


def test_the_commands_restore_a_backup_and_repeat_what_was_done_since(sojourn, tmp_path):
    site, run = sojourn
    backup, restore = re.findall(r"```sh\n(.+?)```", PAGE, re.S)
    jars = site.jars(4)
    hashed = make_password(PASSWORD, hasher="pbkdf2_sha256")
    url = site.environment["DATABASE_URL"]
    database.execute(url, f"UPDATE accounts_user SET password = '{hashed}' WHERE username = 'person3'")  # noqa: S608
    server = site.serve()

    run(backup)
    asyncio.run(sign_out(Browser(server.port, jars[0])))
    with site.log.open("a") as log:
        manage = [sys.executable, "manage.py", "shell", "-c"]
        delete = "from accounts.models import User; User.objects.get(username='person1').delete()"
        subprocess.run([*manage, delete], cwd=ROOT, env=site.environment, stdout=log, stderr=log, check=True)
    server.terminate()
    server.master.wait(60)
    said = run(restore)

    assert "4 sessions ended." in said  # also that which had ended
    assert "2 events since" in said
    assert "Deleted again: person1" in said
    units = re.findall(r"sojourn-[\w.]+", (tmp_path / "units").read_text())
    assert len(units) == 7 and all((ROOT / "ops/systemd" / unit).exists() for unit in units)
    asyncio.run(nobody_is_signed_in_and_anybody_can_sign_in(site.serve().port, jars))
    kinds = [kind for (kind,) in database.execute(url, "SELECT kind FROM accounts_securityevent ORDER BY id")]
    assert kinds[-2:] == ["signed_out", "signed_in"]


async def nobody_is_signed_in_and_anybody_can_sign_in(port, jars):
    for jar in jars:
        browser = Browser(port, jar)
        assert not (await browser.get("/")).signed_in
        browser.close()
    browser = Browser(port, {})
    answer = await send(browser, "/accounts/login/", "/accounts/login/", username="person3", password=PASSWORD)
    assert answer.status == 302, answer.text
    assert (await browser.get("/")).signed_in
    browser.close()


async def sign_out(browser):
    assert (await send(browser, "/", "/accounts/logout/")).status == 302
    browser.close()


async def send(browser, form, path, **fields):
    page = await browser.get(form)
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[1]
    return await browser.request("POST", path, urlencode({**fields, "csrfmiddlewaretoken": token}))
