"""The release before, with the libraries that it was made for, runs beside today's code on one database, and signs
nobody out.

Its code lies in this folder, because a clone need not have tags. CONTRIBUTING.md says how it is replaced at a release.
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


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """The folder and the Python of the release before."""
    folder = tmp_path_factory.mktemp("before")
    [archive] = HERE.glob("*.tar.xz")
    with tarfile.open(archive) as files:
        files.extractall(folder, filter="data")
    subprocess.run([sys.executable, "-m", "venv", folder / ".venv"], check=True)
    pip = [folder / ".venv/bin/pip", "install", "--quiet", "--requirement", "requirements.txt"]
    subprocess.run(pip, cwd=folder, check=True)
    return folder, folder / ".venv/bin/python"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/db.sqlite3"
    else:
        with database.one_more(request.getfixturevalue("postgres_url")) as url:
            yield url


@pytest.fixture
def visit(database_url, tmp_path):
    """`visit(release, jars, *command)`: the jars of all who are signed in, after visits to the site of that release."""
    site = Site(tmp_path, database_url, TOKENS_CONFIRM_AFTER="1")

    def visit(release, jars, *command):
        folder, python = release
        done = subprocess.run(
            [python, HERE / "visits.py", *command],
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
    today = ROOT, sys.executable
    jars = visit(before, [], "migrate")
    jars = visit(today, jars, "migrate")
    jars = visit(before, jars)  # which serves on while the new code starts, or again if that has a fault
    jars = visit(today, jars)
    assert len(jars) == 8
