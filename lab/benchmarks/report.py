"""The figures as text and as Markdown, each beside its goal, and their place in the documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import plot

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "explanation" / "benchmarks.md"
BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"
HEADER = ("what", "measured", "ratio", "goal", "met")
TIMES = "×"  # noqa: RUF001


@dataclass(frozen=True)
class Figure:
    number: float
    unit: str

    def __str__(self) -> str:
        digits = 0 if self.number >= 100 or self.number == int(self.number) else 1 if self.number >= 10 else 2
        return f"{self.number:,.{digits}f} {self.unit}".strip()


@dataclass(frozen=True)
class Bound:
    """What a figure is to be, at most or at least; in its own unit, or as a ratio if the unit is TIMES."""

    number: float
    unit: str
    is_least: bool = False

    def __str__(self) -> str:
        return f"{'≥' if self.is_least else '≤'} {Figure(self.number, self.unit)}"

    def holds(self, number: float) -> bool:
        return number >= self.number if self.is_least else number <= self.number


def at_most(number: float, unit: str = TIMES) -> Bound:
    return Bound(number, unit)


def at_least(number: float, unit: str = TIMES) -> Bound:
    return Bound(number, unit, is_least=True)


def micro(seconds: float) -> Figure:
    return Figure(1e6 * seconds, "µs")


def milli(seconds: float) -> Figure:
    return Figure(1000 * seconds, "ms")


@dataclass(frozen=True)
class Line:
    """One thing that was measured. `ratio` is to whatever the goal's note says; most times only describe."""

    what: str
    measured: Figure
    ratio: float | None = None
    goal: Bound | None = None

    @property
    def met(self) -> bool | None:
        """Return whether the goal is met; None where there is nothing to meet."""
        if self.goal is None:
            return None
        judged = self.ratio if self.goal.unit == TIMES else self.measured.number
        return judged is not None and self.goal.holds(judged)

    @property
    def ours(self) -> bool:
        return self.what.startswith("Sojourn")

    @property
    def compares(self) -> bool:
        """Return whether it belongs on the page: it is ours, or set beside something."""
        return self.ours or self.ratio is not None or self.goal is not None

    def cells(self) -> tuple[str, ...]:
        ratio = "" if self.ratio is None else str(Figure(self.ratio, TIMES))
        goal = "" if self.goal is None else str(self.goal)
        return (self.what, str(self.measured), ratio, goal, {None: "", True: "yes", False: "**no**"}[self.met])


@dataclass(frozen=True)
class Goal:
    """A goal's table. With `picture`, the lines in the unit of the first are drawn as bars into a file of this name."""

    title: str
    note: str
    lines: Sequence[Line]
    picture: str = ""

    def drawn(self) -> str:
        alike = [line for line in self.lines if line.measured.unit == self.lines[0].measured.unit]
        shown = [line for line in alike if not line.what.startswith("…")]  # that goes on with the line above
        bars = [(line.what, line.measured.number, str(line.measured), line.ours) for line in shown]
        return plot.draw(self.title, self.note, bars)


def text(goal: Goal) -> str:
    rows = [HEADER, *(line.cells() for line in goal.lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = (
        "  ".join(cell.rjust(width) if place else cell.ljust(width) for place, (cell, width) in enumerate(pairs))
        for pairs in (tuple(zip(row, widths, strict=True)) for row in rows)
    )
    return "\n".join((goal.title, goal.note, "", *table))


def markdown(goal: Goal) -> str:
    """Return a section of the page, with a missed goal in bold. A run prints more lines."""
    picture = f"![{goal.title}](../images/{name(goal)})" if goal.picture else ""
    table = "\n".join(("| what | measured | ratio | goal |", "|---|--:|--:|--:|", *_rows(goal)))
    return "\n\n".join(part for part in (f"### {goal.title}", goal.note, picture, table) if part)


def _rows(goal: Goal) -> Iterator[str]:
    for line in goal.lines:
        if line.compares:
            what, measured, ratio, bound, _ = line.cells()
            yield f"| {what} | {measured} | {ratio} | {f'**{bound}**' if line.met is False else bound} |"


def verdict(goals: Iterable[Goal]) -> str:
    """Return how many goals are met, and which lines are not."""
    missed = (line for line in _judged(goals) if not line.met)
    told = (f"* Not met: {line.what} ({line.cells()[2] or line.measured}, {line.goal})" for line in missed)
    return "\n".join((how_many(goals), *told))


def how_many(goals: Iterable[Goal]) -> str:
    """Return the same in a sentence, for a page whose tables say which."""
    judged = _judged(goals)
    return f"{sum(bool(line.met) for line in judged)} of {len(judged)} goals met."


def _judged(goals: Iterable[Goal]) -> list[Line]:
    return [line for goal in goals for line in goal.lines if line.met is not None]


def write(goals: Sequence[Goal], how: str) -> None:
    """Put the figures into the page and draw the pictures anew."""
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    section = "\n\n".join((BEGIN, how, how_many(goals), *map(markdown, goals), END))
    PAGE.write_text(before + section + rest.split(END)[1])
    for goal in goals:
        if goal.picture:
            (DOCS / "images" / name(goal)).write_text(goal.drawn())


def name(goal: Goal) -> str:
    return f"benchmarks-{goal.picture}.svg"
