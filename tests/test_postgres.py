"""The tests once more, on a real PostgreSQL: beside the others, which leave a core to them."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection


@pytest.fixture(scope="session")
def second_run(request, postgres_url, tmp_path_factory) -> Iterator[tuple[subprocess.Popen, Path]]:
    """The run on PostgreSQL, and the file that takes what it says."""
    said = tmp_path_factory.mktemp("postgres") / "said"
    with said.open("w") as file:
        run = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not browser and not once"],
            cwd=request.config.rootpath,
            env={**os.environ, "DATABASE_URL": postgres_url},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        yield run, said
        run.kill()
        run.wait()


@pytest.mark.once  # which also keeps the second run from starting a third
class TestPostgres:
    """tests/conftest.py puts the first of these before all other tests, and the second before those that need the
    machine for themselves."""

    def test_it_is_another_database(self, second_run):
        assert connection.vendor == "sqlite", "These tests are on PostgreSQL already."

    @pytest.mark.timeout(1800)
    def test_everything_holds_there_too(self, second_run):
        run, said = second_run
        run.wait(timeout=1780)
        end = said.read_text()[-6000:]
        assert run.returncode == 0, end
        passed = re.search(r"(\d+) passed", end)
        assert passed, end
        assert int(passed[1]) > 100, end
