"""Check the sizes of cookies, and that docs/howto/keys.md says what `python -m lab.benchmarks.sizes` measures."""

import re
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


@pytest.fixture(scope="module")
def rows(printed):
    """For each kind of key: access, refresh, access with the longest name, and that with a place in the list."""
    cells = [line.strip("| ").split(" | ")[1:] for line in printed.splitlines()[2:] if line.startswith("|")]
    return [[int(cell.replace(",", "")) for cell in row if cell != "-"] for row in cells]


def test_no_cookie_is_longer_than_browsers_take(rows):
    sizes = [size for row in rows for size in row]
    assert len(sizes) == 6 * 4 - 1
    assert min(sizes) > 400 and max(sizes) < A_COOKIE


def test_the_page_says_what_was_measured(printed, rows):
    page = (ROOT / "docs" / "howto/keys.md").read_text().partition("## Check sizes")[2].partition("*")[0]
    both = [access + refresh for access, refresh, *_ in rows]
    names = [longest - access for access, _, longest, *_ in rows]
    [mark] = re.findall(r"A mark has (\d+) bytes", printed)
    said = {int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*\d", re.sub(r"[A-Z]+\d+", "", page))}
    assert said == {*both, *names, int(mark), 2048, 3072, 4096}
