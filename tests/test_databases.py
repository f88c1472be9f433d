"""The tests that touch the database once more, each time in one process, on other databases than SQLite."""

import os
import re
import subprocess
import sys

import pytest
from django.db import connection

from tests import mariadb

SECOND_RUN = "database and not (browser or once or slow)"
# These two would take as long as all others of tests/accounts.
SHORT = [f"--ignore=tests/accounts/test_{name}.py" for name in ("admin_changelist", "password_upgrades")]


@pytest.fixture
def second_run(request):
    """`second_run(url, *folders)`: how many tests passed there; all of them."""

    def second_run(url, *folders):
        assert connection.vendor == "sqlite", "These tests are on another database already."
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-m", SECOND_RUN, *folders],
            cwd=request.config.rootpath,
            env={**os.environ, "DATABASE_URL": url},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, done.stdout[-6000:]
        passed = re.search(r"(\d+) passed", done.stdout)
        assert passed, done.stdout
        return int(passed[1])

    return second_run


@pytest.mark.once
@pytest.mark.timeout(1800)
def test_everything_holds_on_postgresql(second_run, postgres_url):
    assert second_run(postgres_url) > 100


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.timeout(1800)
def test_the_apps_hold_on_mariadb(second_run):
    with mariadb.running() as url:
        assert second_run(url, "tests/tokens", "tests/contrib", "tests/accounts", *SHORT) > 1000
