"""Another project takes the folder `tokens` alone, under its own name or in a package of others' code."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tokens
from tests.tokens import bare

pytestmark = pytest.mark.once

FOLDER = Path(tokens.__file__).parent
FEW_FIELDS = """
    AUTH_USER_MODEL="people.Person",
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    SECRET_KEY_FALLBACKS=["an older secret"],
"""


@pytest.fixture(params=["tokens", "vendor.tokens"])
def package(request, tmp_path):
    """The name under which the project in `tmp_path` has the folder."""
    place = tmp_path.joinpath(*request.param.split("."))
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(FOLDER)
    return request.param


def test_with_djangos_own_user(package, tmp_path):
    said = bare.run(sys.executable, tmp_path, package)
    assert "System check identified no issues" in said
    assert "0 sessions deleted." in said
    assert said.endswith("all is well\n")


def test_with_a_user_of_few_fields_fallback_keys_and_moments_without_a_zone(package, tmp_path):
    said = bare.run(sys.executable, tmp_path, package, apps='"people", ', extra=FEW_FIELDS, tz=False)
    assert said.endswith("all is well\n")


@pytest.mark.parametrize("old", ["django.VERSION = (5, 1, 15, 'final', 0)", "sys.version_info = (3, 10, 13)"])
def test_what_is_too_old_is_told_what_it_takes(package, tmp_path, old):
    setup = f"settings.configure(INSTALLED_APPS=['django.contrib.auth', '{package}']); django.setup()"
    code = f"import sys, django; from django.conf import settings; {old}; {setup}"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3
    [line] = done.stderr.splitlines()
    assert line.startswith("The app tokens needs Django 5.2 and Python 3.11, or newer ones; these are ")
    assert ("Django 5.1.15" in line) is ("Python 3.10" not in line)


def test_an_old_python_can_read_that_sentence():
    for name in ("__init__.py", "apps.py"):
        ast.parse((FOLDER / name).read_text(), feature_version=(3, 8))
