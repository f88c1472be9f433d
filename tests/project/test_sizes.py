"""Check the sizes of cookies, and that docs/howto/keys.md has what `python -m lab.benchmarks.sizes` prints."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]
A_COOKIE = 4096  # bytes of name and value, beyond which browsers ignore it


@pytest.fixture(scope="module")
def printed():
    command = [sys.executable, "-W", "ignore", "-m", "lab.benchmarks.sizes"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=100).stdout


def test_no_cookie_is_longer_than_browsers_take(printed):
    rows = [line.strip("| ").split(" | ")[1:] for line in printed.splitlines()[2:] if line.startswith("|")]
    sizes = [int(cell.replace(",", "")) for row in rows for cell in row if cell != "-"]
    assert len(sizes) == 6 * 4 - 1
    assert min(sizes) > 400 and max(sizes) < A_COOKIE


def test_the_page_says_what_was_measured(printed):
    table, rest = printed.split("\n\n")
    page = (ROOT / "docs" / "howto/keys.md").read_text()
    assert table in page
    assert rest.splitlines()[0] in page
