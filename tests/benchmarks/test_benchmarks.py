"""`python -m lab.benchmarks --once`: each contender once, with the right answer and as many statements as are said."""

import os
import subprocess
import sys
from pathlib import Path
from xml.dom import minidom

import pytest

from lab.benchmarks import __main__, plot, report
from lab.benchmarks.report import Figure, Goal, Line, at_least, at_most, micro
from tests import postgres

pytestmark = [pytest.mark.once, pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def printed():
    postgres.find_binaries()  # skips where there is none
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "lab.benchmarks", "--once"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def cells(printed, what):
    """What stands behind `what` in its line, the first of those."""
    line = next(line for line in printed.splitlines() if line.startswith(f"{what}  "))
    return line.removeprefix(what).split()


class TestARun:
    def test_measures_every_goal(self, printed):
        titles = [getattr(sys.modules[goal.__module__], "TITLE") for goal in __main__.GOALS.values()]  # noqa: B009
        assert len(set(titles)) == 8
        assert [line for line in printed.splitlines() if line in titles] == titles

    def test_asks_every_peer(self, printed):
        from lab.benchmarks import peers

        for stack in peers.STACKS.values():
            for peer in stack.peers:
                assert cells(printed, peer.name)[1] == "µs"

    def test_a_refresh_sends_one_statement_and_its_confirmation_another(self, printed):
        assert cells(printed, "Statements of a refresh")[0] == "1"
        assert cells(printed, "Statements of a refresh that confirms")[0] == "2"

    def test_the_sessions_page_and_the_end_of_many_send_few(self, printed):
        assert int(cells(printed, "Its statements")[0]) <= 4
        assert cells(printed, "Ending 20: statements that change them")[0] == "1"

    def test_lets_all_of_the_crowd_in(self, printed):
        assert cells(printed, "2 at once: not signed in")[0] == "0"

    def test_says_how_many_goals_are_met_and_with_what(self, printed):
        assert " goals met." in printed
        assert "Django 5." in printed and "PostgreSQL" in printed


class TestLine:
    def test_is_judged_in_the_unit_of_its_goal(self):
        assert Line("x", micro(16e-6), goal=at_most(16, "µs")).met is True
        assert Line("x", micro(17e-6), goal=at_most(16, "µs")).met is False
        assert Line("x", micro(1), 26, at_least(25)).met is True
        assert Line("x", micro(1), 24, at_least(25)).met is False
        assert Line("x", micro(1), 24).met is None


class TestFigure:
    @pytest.mark.parametrize(
        ("number", "words"), [(0, "0 s"), (1.234, "1.23 s"), (12.34, "12.3 s"), (1234.5, "1,234 s"), (3, "3 s")]
    )
    def test_is_said_in_three_digits_or_whole(self, number, words):
        assert str(Figure(number, "s")) == words


class TestWrite:
    def test_fills_the_page_between_its_marks(self, tmp_path, monkeypatch):
        page = tmp_path / "benchmarks.md"
        page.write_text(f"Before.\n\n{report.BEGIN}\nold\n{report.END}\n\nAfter.\n")
        (tmp_path / "images").mkdir()
        monkeypatch.setattr(report, "DOCS", tmp_path)
        monkeypatch.setattr(report, "PAGE", page)
        report.write([Goal("A goal", "A note.", [Line("Sojourn", micro(1e-6), goal=at_most(2, "µs"))], "a")], "How.")
        text = page.read_text()
        assert text.startswith("Before.\n\n") and text.endswith("\n\nAfter.\n") and "old" not in text
        assert "| Sojourn | 1 µs |  | ≤ 2 µs | yes |" in text and "images/benchmarks-a.svg" in text
        assert (tmp_path / "images" / "benchmarks-a.svg").exists()

    def test_the_page_in_the_documents_has_its_marks(self):
        page = report.PAGE.read_text()
        assert page.index(report.BEGIN) < page.index(report.END)


class TestDraw:
    def test_is_xml_with_a_bar_for_each(self):
        picture = plot.draw("A <title>", "A & note", [("ours", 1, "1 µs", True), ("theirs", 4, "4 µs", False)])
        rectangles = minidom.parseString(picture).getElementsByTagName("rect")  # noqa: S318  (our own)
        bars = [each for each in rectangles if each.hasAttribute("class")]
        assert [each.getAttribute("class") for each in bars] == ["ours", "other"]
        ours, theirs = (float(each.getAttribute("width")) for each in bars)
        assert 4 * ours == pytest.approx(theirs, abs=0.5)
