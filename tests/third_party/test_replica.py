"""A site whose reads go to a real replica of PostgreSQL, five seconds behind."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests import postgres
from tests.third_party.test_packages import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.once]
LAG = 5


@pytest.fixture
def servers():
    """The folders of a primary and its replica."""
    binaries = postgres.find_binaries()
    with (
        tempfile.TemporaryDirectory(prefix="sojourn-pg-", dir="/tmp") as primary,
        tempfile.TemporaryDirectory(prefix="sojourn-pg-", dir="/tmp") as replica,
    ):
        postgres.start(binaries, Path(primary))
        try:
            postgres.follow(binaries, Path(primary), Path(replica), LAG)
            yield primary, replica
            postgres.stop(binaries, Path(replica))
        finally:
            postgres.stop(binaries, Path(primary))


def test_nothing_is_decided_by_a_replica_that_lags(servers, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-B", "-m", "tests.third_party.run", "replica", tmp_path],
        cwd=ROOT,
        env=os.environ | dict(zip(("PRIMARY", "REPLICA"), servers, strict=True)),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
