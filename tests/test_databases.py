"""The tests that touch the database once more, on a real PostgreSQL: in one process, beside the other tests."""

import os
import re
import subprocess
import sys

import pytest
from django.db import connection

SECOND_RUN = "database and not (browser or once or slow)"


@pytest.fixture
def second_run(request, postgres_url) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-m", SECOND_RUN],
        cwd=request.config.rootpath,
        env={**os.environ, "DATABASE_URL": postgres_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.once
@pytest.mark.timeout(1800)
def test_everything_holds_on_postgresql(second_run):
    assert connection.vendor == "sqlite", "These tests are on PostgreSQL already."
    assert second_run.returncode == 0, second_run.stdout[-6000:]
    passed = re.search(r"(\d+) passed", second_run.stdout)
    assert passed, second_run.stdout
    assert int(passed[1]) > 100, second_run.stdout
