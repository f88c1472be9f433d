"""The code of the release before runs beside today's on one database, and signs nobody out.

It lies in this folder, because a clone need not have tags. CONTRIBUTING.md says how it is replaced at a release.
"""

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.resilience import database
from tests.resilience.server import ROOT, Site

pytestmark = [pytest.mark.slow, pytest.mark.once]

HERE = Path(__file__).parent


@pytest.fixture
def before(tmp_path):
    """The folder of the release before."""
    [archive] = HERE.glob("*.tar.xz")
    with tarfile.open(archive) as files:
        files.extractall(tmp_path / "before", filter="data")
    return tmp_path / "before"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/db.sqlite3"
    else:
        with database.one_more(request.getfixturevalue("postgres_url")) as url:
            yield url


@pytest.fixture
def visit(database_url, tmp_path):
    """`visit(folder, jars, *command)`: the jars of all who are signed in, after visits to the site of that code."""
    site = Site(tmp_path, database_url, TOKENS_CONFIRM_AFTER="1")

    def visit(folder, jars, *command):
        done = subprocess.run(
            [sys.executable, HERE / "visits.py", *command],
            cwd=folder,
            env=site.environment,
            input=json.dumps(jars),
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return visit


def test_an_upgrade_and_a_way_back_sign_nobody_out(before, visit):
    jars = visit(before, [], "migrate")
    jars = visit(ROOT, jars, "migrate")
    jars = visit(before, jars)  # which serves on while the new code starts, or again if that has a fault
    jars = visit(ROOT, jars)
    assert len(jars) == 8
