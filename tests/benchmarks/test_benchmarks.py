"""`python -m lab.benchmarks --once`: each contender once, with the right answer and as many statements as are said."""

import os
import sys

import pytest

from lab.benchmarks import __main__, peers, report
from lab.benchmarks.report import Goal, Line, at_least, at_most, micro
from tests import postgres
from tests.programs import output_of

pytestmark = [pytest.mark.once, pytest.mark.slow, pytest.mark.timeout(900)]

ENVIRONMENT = {"PATH": os.environ["PATH"]}


@pytest.fixture(scope="module")
def printed():
    postgres.find_binaries()  # skips where there is none
    return output_of("-W", "ignore", "-m", "lab.benchmarks", "--once", env=ENVIRONMENT, timeout=300)


def cells(printed, what):
    """Return what stands behind `what` in its line, the first of those."""
    line = next(line for line in printed.splitlines() if line.startswith(f"{what}  "))
    return line.removeprefix(what).split()


def test_a_run_measures_every_goal_and_asks_every_peer(printed):
    titles = [getattr(sys.modules[goal.__module__], "TITLE") for goal in __main__.GOALS.values()]  # noqa: B009
    assert len(set(titles)) == 11
    assert [line for line in printed.splitlines() if line in titles] == titles
    for stack in peers.STACKS.values():
        for peer in stack.peers:
            assert cells(printed, peer.name)[1] == "µs"
    assert " goals met." in printed and "Django 5." in printed and "PostgreSQL" in printed


def test_it_counts_statements_and_whoever_was_not_let_in(printed):
    assert cells(printed, "Statements of a refresh")[0] == "2"
    assert cells(printed, "Statements of a refresh that confirms")[0] == "2"
    assert cells(printed, "Statements of a refresh beside a mark")[0] == "2"
    assert cells(printed, "Statements of a proof")[0] == "2"
    assert int(cells(printed, "Its statements")[0]) <= 4
    assert cells(printed, "Ending 20: statements that change them")[0] == "1"
    assert cells(printed, "2 at once: not signed in")[0] == "0"


def test_a_line_is_judged_in_the_unit_of_its_goal():
    assert Line("x", micro(16e-6), goal=at_most(16, "µs")).met is True
    assert Line("x", micro(17e-6), goal=at_most(16, "µs")).met is False
    assert Line("x", micro(1), 26, at_least(25)).met is True
    assert Line("x", micro(1), 24, at_least(25)).met is False
    assert Line("x", micro(1), 24).met is None


def test_the_page_is_filled_between_its_marks(tmp_path, monkeypatch):
    page = report.PAGE.read_text()
    (tmp_path / "images").mkdir()
    monkeypatch.setattr(report, "DOCS", tmp_path)
    monkeypatch.setattr(report, "PAGE", tmp_path / "benchmarks.md")
    report.PAGE.write_text(page)
    lines = [Line("Sojourn", micro(1e-6), goal=at_most(2, "µs")), Line("Peer", micro(3e-6), 3, at_least(4))]
    report.write([Goal("A goal", "A note.", [*lines, Line("A detail", micro(1))], "a")], "How.")
    before, after = page.partition(report.BEGIN)[0], page.partition(report.END)[2]
    text = report.PAGE.read_text()
    assert before and text.startswith(before) and text.endswith(after)
    assert f"| Sojourn | 1 µs |  | ≤ 2 µs |\n| Peer | 3 µs | 3 {report.TIMES} | **≥ 4 {report.TIMES}** |\n\n" in text
    assert (tmp_path / "images" / "benchmarks-a.svg").exists()


def test_what_sessions_take_of_the_database_is_still_measured():
    """`docs/explanation/scale.md` rests on it."""
    printed = output_of("-W", "ignore", "-m", "lab.benchmarks.scale", "1000", env=ENVIRONMENT, timeout=300)
    assert "WAL of a confirmation: " in printed and "fillfactor 90: " in printed
