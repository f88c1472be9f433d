"""The packages of Node programs; those of the service are documentation too."""

import json

import pytest

from tests.interop.service import EXAMPLES
from tests.providers.real import FOLDER

pytestmark = pytest.mark.once


@pytest.mark.parametrize("folder", [EXAMPLES / "node_service", FOLDER])
def test_the_lockfile_pins_what_a_program_needs_and_no_registry(folder):
    locked = json.loads((folder / "package-lock.json").read_text())["packages"]
    assert locked[""]["dependencies"] == json.loads((folder / "package.json").read_text())["dependencies"]
    assert all(package["integrity"].startswith("sha512-") for name, package in locked.items() if name)
    assert not any("resolved" in package for package in locked.values())
