"""docs/adopt.md is true: four settings in a fresh project, and what is said of each package."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def take(tmp_path):
    """`take(walk)`: takes it in this test's project; what it said. Warnings are errors."""

    def take(walk):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-B", "-m", "tests.packages.run", walk, tmp_path],
            cwd=ROOT,
            env={name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ},
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return take


def test_a_fresh_project_needs_four_settings(take):
    take("fresh")


def test_a_site_on_djangos_sessions_moves_over_and_nobody_is_signed_out(take):
    take("before")
    take("after")


@pytest.mark.parametrize("package", ["allauth", "debug_toolbar", "drf", "hijack", "loginas"])
def test_beside_a_package(take, package):
    take(package)
