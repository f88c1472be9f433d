"""The figures as text and as Markdown, and their place in the documents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from .plot import draw
from .responses import Summary
from .runs import Result
from .thieves import Kind

DOCS = Path(__file__).parents[2] / "docs"
PAGE, PICTURE = DOCS / "explanation" / "rotation.md", DOCS / "images" / "rotation-rules.svg"
BEGIN, END = "<!-- simulation: begin -->", "<!-- simulation: end -->"

Table = tuple[tuple[str, ...], ...]

HEADER = (
    "rule",
    "forced sign-outs per 1,000 user-days",
    "probes per 1,000 user-days",
    "thieves who got in",
    "their stay: median",
    "95 %",
    "found",
    "locked out, not found",
    "still in after a week",
)


def summary(results: Sequence[Result]) -> Table:
    """A row for each rule, over all thieves."""
    rows = []
    for result in results:
        thefts = result.of(Kind)
        honest = (_number(result.sign_outs), _number(result.probes))
        stay = (_hours(thefts.median_stay), _hours(thefts.longest_but_few))
        shares = (_percent(thefts.found), _percent(thefts.locked_out), _percent(thefts.still_in))
        rows.append((result.rule, *honest, _percent(thefts.got_in), *stay, *shares))
    return (HEADER, *rows)


def by_kind(results: Sequence[Result]) -> Table:
    """The same for each kind of thief: the median stay, and who was found or is still in."""
    rows = []
    for result in results:
        rows.append((result.rule, *(_fate(result, kind) for kind in Kind)))
    return (("rule", *(kind.value for kind in Kind)), *rows)


def text(table: Table) -> str:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in table)


def markdown(table: Table) -> str:
    header, *rows = table
    return "\n".join(_line(row) for row in (header, ["---", *["--:"] * (len(header) - 1)], *rows))


def by_queue(overloads: Sequence[tuple[float, Result]]) -> Table:
    """How the rule of this project bears overloads that are longer than it is made for."""
    rows = ((f"{queue:.0f} s", _number(result.sign_outs), _number(result.probes)) for queue, result in overloads)
    return (("requests wait up to", HEADER[1], HEADER[2]), *rows)


def by_response(summaries: Sequence[Summary]) -> Table:
    """Return what an honest copy costs and how long thieves stay, by what a detected copy ends."""
    header = ("`TOKENS_REUSE_REVOKES`", "sign-ins after an honest copy", *HEADER[4:6], HEADER[8])
    rows = (
        (
            f"`{summary.policy}`",
            f"{summary.honest_sign_ins:.1f}",
            _hours(summary.median_stay),
            _hours(summary.longest_but_few),
            _percent(summary.still_in),
        )
        for summary in summaries
    )
    return (header, *rows)


KINDS = "The median stay of each kind of thief, of those who got in; then how many of all were found, and are still in:"
QUEUES = "Beyond the bound: this project's rule on days with eight overloads of ten minutes each:"


RESPONSES = "A machine with two browsers is copied, one of them unused; a phone beside it is not:"


def section(
    results: Sequence[Result], overloads: Sequence[tuple[float, Result]], responses: Sequence[Summary], how: str
) -> str:
    """What stands between the markers."""
    rules = (markdown(summary(results)), KINDS, markdown(by_kind(results)))
    rest = (QUEUES, markdown(by_queue(overloads)), RESPONSES, markdown(by_response(responses)))
    return "\n\n".join((BEGIN, how, *rules, *rest, END))


def write(
    results: Sequence[Result], overloads: Sequence[tuple[float, Result]], responses: Sequence[Summary], how: str
) -> None:
    """Puts the figures into the page and draws the picture anew."""
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    PAGE.write_text(before + section(results, overloads, responses, how) + rest.split(END)[1])
    PICTURE.write_text(draw(results))


def _fate(result: Result, kind: Kind) -> str:
    thefts = result.of([kind])
    stay = _hours(thefts.median_stay) if thefts.stays else "never in"
    return f"{stay}; {_percent(thefts.found)}, {_percent(thefts.still_in)}"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _number(value: float) -> str:
    return "0" if value == 0 else f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _hours(value: float) -> str:
    return f"{value:.1f} h"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
