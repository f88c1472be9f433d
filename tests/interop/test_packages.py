"""The packages of the Node service, which are documentation too."""

import json

import pytest

from tests.interop.service import EXAMPLES

pytestmark = pytest.mark.once

FOLDER = EXAMPLES / "node_service"


def test_the_lockfile_pins_what_the_service_needs_and_no_registry():
    text = (FOLDER / "package-lock.json").read_text()
    locked = json.loads(text)["packages"]
    assert locked[""]["dependencies"] == json.loads((FOLDER / "package.json").read_text())["dependencies"]
    assert all(package["integrity"].startswith("sha512-") for name, package in locked.items() if name)
    assert "://" not in text
