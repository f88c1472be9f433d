"""The figures as text and as Markdown, and their place in the documents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from .devices import Bound
from .parameters import DEFAULT
from .plot import draw
from .responses import Summary
from .runs import Result, Thefts
from .siblings import Siblings
from .thieves import Kind

DOCS = Path(__file__).parents[2] / "docs"
PAGE, PICTURE = DOCS / "explanation" / "rotation.md", DOCS / "images" / "rotation-rules.svg"
BEGIN, END = "<!-- simulation: begin -->", "<!-- simulation: end -->"

Table = tuple[tuple[str, ...], ...]

HEADER = (
    "rule",
    "forced sign-outs per 1,000 user-days",
    "thieves who got in",
    "their stay: median",
    "95 %",
    "found",
    "locked out, not found",
    "still in after a week",
)


def summary(results: Sequence[Result]) -> Table:
    """Return a row for each rule, over all thieves."""
    rows = []
    for result in results:
        thefts = result.of(Kind)
        stay = (_hours(thefts.median_stay), _hours(thefts.longest_but_few))
        shares = (_percent(thefts.found), _percent(thefts.locked_out), _percent(thefts.still_in))
        rows.append((result.rule, _number(result.sign_outs), _percent(thefts.got_in), *stay, *shares))
    return (HEADER, *rows)


def by_kind(results: Sequence[Result]) -> Table:
    """Return a row for each rule and kind of thief: the median stay, and who was found or is still in."""
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
    """Return how the rule of this project bears overloads that are longer than it is made for."""
    rows = ((f"{queue:.0f} s", _number(result.sign_outs), _number(result.probes)) for queue, result in overloads)
    return (("requests wait up to", HEADER[1], "probes per 1,000 user-days"), *rows)


def by_response(summaries: Sequence[Summary]) -> Table:
    """Return what an honest copy costs and how long thieves stay, by what a detected copy ends."""
    header = ("`TOKENS_REUSE_REVOKES`", "sign-ins after an honest copy", *HEADER[3:5], HEADER[7])
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


def by_mark(results: Sequence[Result]) -> Table:
    """Return what a copied jar of a bound browser is worth, by its mark, beside those of browsers without a key."""
    thefts = {result.rule: result.thefts for result in results}
    bound = thefts[Bound.name]
    young = DEFAULT.bound_lifetime - DEFAULT.proved_within
    groups = {
        "no key": thefts[Siblings.name],
        "a key that never counted: the registration was lost": [theft for theft in bound if not theft.bound],
        "a mark of at most two minutes": [theft for theft in bound if theft.bound and theft.mark_left > young],
        "an older mark": [theft for theft in bound if theft.bound and 0 < theft.mark_left <= young],
        "a key, and no mark": [theft for theft in bound if theft.bound and not theft.mark_left],
    }
    return (MARK_HEADER, *((name, *_worth(Thefts(group))) for name, group in groups.items() if group))


def proofs(results: Sequence[Result]) -> str:
    """Return what honest people notice of their key."""
    [bound] = [result for result in results if result.rule == Bound.name]
    counts, days = bound.counts, bound.user_days
    return (
        f"A bound browser proved its key {_number(counts.proofs / days)} times a day. Of 1,000 proofs"
        f" {_number(1000 * counts.lost_proofs / counts.proofs)} were lost on the way, so that a page said to try again"
        f" (503), or, {_number(1000 * counts.asked / days)} times per 1,000 user-days, a guarded page asked for the"
        " password."
    )


KINDS = "The median stay of each kind of thief, of those who got in; then how many of all were found, and are still in:"
MARKS = "What a copied jar is worth, by what it held of device binding:"
MARK_HEADER = (
    "the jar is of a browser with",
    "copied",
    "got in",
    "opened a guarded page",
    "longest stay",
    "found",
    "could sign the owner out a week later",
)
QUEUES = "Beyond the bound: this project's rule on days with eight overloads of ten minutes each:"


RESPONSES = "A machine with two browsers is copied, one of them unused; a phone beside it is not:"


def section(
    results: Sequence[Result], overloads: Sequence[tuple[float, Result]], responses: Sequence[Summary], how: str
) -> str:
    """Return what stands between the markers."""
    rules = (markdown(summary(results)), proofs(results))
    rest = (QUEUES, markdown(by_queue(overloads)), RESPONSES, markdown(by_response(responses)))
    return "\n\n".join((BEGIN, how, *rules, *rest, END))


def write(
    results: Sequence[Result], overloads: Sequence[tuple[float, Result]], responses: Sequence[Summary], how: str
) -> None:
    """Put the figures into the page and draw the picture anew."""
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    PAGE.write_text(before + section(results, overloads, responses, how) + rest.split(END)[1])
    PICTURE.write_text(draw(results))


def _worth(thefts: Thefts) -> tuple[str, ...]:
    guarded = thefts.share(sum(theft.guarded for theft in thefts.thefts))
    signs_out = thefts.share(sum(theft.may_sign_out for theft in thefts.thefts))
    longest = _hours(max(thefts.stays)) if thefts.stays else "-"
    shares = (_percent(thefts.got_in), _percent(guarded), longest, _percent(thefts.found), _percent(signs_out))
    return (str(len(thefts.thefts)), *shares)


def _fate(result: Result, kind: Kind) -> str:
    thefts = result.of([kind])
    stay = _hours(thefts.median_stay) if thefts.stays else "never in"
    return f"{stay}; {_percent(thefts.found)}, {_percent(thefts.still_in)}"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _number(value: float) -> str:
    return "0" if value == 0 else f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _hours(value: float) -> str:
    return f"{value:.1f} h" if value >= 1 else f"{60 * value:.0f} min"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
