"""The tests once more, on a real PostgreSQL."""

import os
import re
import subprocess
import sys

import pytest
from django.db import connection


@pytest.mark.once  # which also keeps the second run from starting a third
@pytest.mark.timeout(1800)
def test_everything_holds_on_postgres_too(request, postgres_url):
    if connection.vendor == "postgresql":
        pytest.skip("These tests are on PostgreSQL already.")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not browser and not once"],
        cwd=request.config.rootpath,
        env={**os.environ, "DATABASE_URL": postgres_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1780,
    )
    end = done.stdout[-6000:]
    assert done.returncode == 0, end
    passed = re.search(r"(\d+) passed", end)
    assert passed, end
    assert int(passed[1]) > 100, end
