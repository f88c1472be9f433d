"""Check that docs/explanation/scale.md has what `python -m lab.simulation --scale` prints."""

import subprocess
import sys
from pathlib import Path

import pytest

from lab.simulation.parameters import DEFAULT
from lab.simulation.scale import SITES, busiest, table

pytestmark = [pytest.mark.once, pytest.mark.slow]

ROOT = Path(__file__).parents[2]


def test_the_page_has_what_a_run_prints():
    command = [sys.executable, "-m", "lab.simulation", "--scale"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=100).stdout
    assert printed.count("\n") == 11
    assert printed in (ROOT / "docs/explanation/scale.md").read_text()


def test_a_page_needs_the_database_seldom_and_a_confirmation_more_seldom():
    one = busiest(people=10, days=2)
    assert one.pages > 2 * one.refreshes > 2 * one.confirmations > 0
    assert one.confirmations < 1 / DEFAULT.access_lifetime  # nobody's token expires more often
    assert 1 / 24 < one.share < 1 / 4  # an hour is busier than another, and people work for more than four


def test_what_is_asked_for_grows_as_people_do():
    first, *_, last = [line.strip("| ").split(" | ") for line in table(busiest(people=2, days=1)).splitlines()[2:]]
    assert [int(cell.replace(",", "")) for cell in first[2:]][-1] >= 90 * int(first[2].replace(",", ""))
    assert len(last) == 1 + len(SITES)
