"""docs/howto/existing-project.md is true: four settings in a fresh project, and what is said of each package."""

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.third_party import run

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = [
    "allauth",
    "allauth_apps",
    "allauth_headless",
    "allauth_idp",
    "channels",
    "debug_toolbar",
    "drf",
    "hijack",
    "impersonate",
    "loginas",
    "oauth2",
    "oauth2_provider",
    "otp",
    "sesame",
]

APART = {"daphne": "4.2.3"}  # what is installed for its walk alone, as much comes with it


def test_the_document_names_the_settings_that_are_tried():
    page = (ROOT / "docs/howto/existing-project.md").read_text()
    code = page.partition("```python\n")[2].partition("```")[0]
    lines = [line.partition("  #")[0].strip() for line in code.splitlines()]
    assert len(lines) == 4
    assert all('"tokens' in line for line in lines[:2])
    assert lines[2:] == run.SETTINGS.split("\n")[1:3]
    assert set(run.ADOPTED.values()) == {
        '    "django.contrib.auth",\n    "tokens",\n',
        "tokens.middleware.TokenMiddleware",
    }


def test_the_page_lists_each_package_that_is_tried_in_the_version_that_is_here():
    page = (ROOT / "docs/reference/packages.md").read_text()
    rows = re.findall(r"^\| ([\w-]+) \| ([\d.]+) \| `(\w+)` \| .+ \|$", page, re.MULTILINE)
    assert sorted(walk for *_, walk in rows) == sorted([*PACKAGES, *APART])
    assert {name: pin for name, pin, _ in rows} == {name: APART.get(name) or version(name) for name, *_ in rows}
    no_package = {"__init__", "after", "api", "before", "fresh", "pages", "people", "relying_party", "replica", "site"}
    assert {path.stem for path in (ROOT / "tests/third_party/walks").glob("*.py")} - no_package == {*PACKAGES, *APART}


@pytest.fixture
def take(tmp_path):
    """`take(walk)`: takes it in this test's project; what it said. Warnings are errors."""

    def take(walk, **environment):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-B", "-m", "tests.third_party.run", walk, tmp_path],
            cwd=ROOT,
            env={name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ} | environment,
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return take


def test_a_fresh_project_needs_four_settings(take):
    take("fresh")


@pytest.mark.slow
def test_a_site_on_djangos_sessions_moves_over_and_nobody_is_signed_out(take):
    take("before")
    take("after")


@pytest.mark.slow
@pytest.mark.parametrize("package", PACKAGES)
def test_beside_a_package(take, package):
    take(package)


@pytest.mark.slow
def test_a_second_factor_is_asked_for_beside_all_of_them(take):
    take("site")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("package", APART)
def test_beside_a_package_in_a_folder_of_its_own(take, tmp_path_factory, package):
    folder, pin = tmp_path_factory.mktemp(package), f"{package}=={APART[package]}"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--target", folder, pin], check=True)
    take(package, PYTHONPATH=str(folder))
