"""python -m lab.simulation: prints what each rule costs and leaves, and searches every order of a few messages."""

from __future__ import annotations

import argparse
from time import monotonic

from . import report, responses, scale
from .hunt import hunt
from .runs import FULL, QUICK, overload, run
from .search import search
from .siblings import Siblings

# Messages, ticks in CONFIRM_AFTER, ticks in the longest round trip: under the bound, at it, above it.
SEARCHES = ((4, 7, 2), (3, 6, 2), (3, 6, 3))
DEEP = ((5, 7, 2), *SEARCHES[1:])


def main() -> None:
    options = _options()
    if options.scale:
        return print(scale.table(scale.busiest(seed=options.seed)))
    began = monotonic()
    size = QUICK if options.quick else FULL
    results = run(size, options.seed)
    print(report.text(report.summary(results)), end="\n\n")
    print(report.KINDS, report.text(report.by_kind(results)), sep="\n", end="\n\n")
    print(report.MARKS, report.text(report.by_mark(results)), report.proofs(results), sep="\n", end="\n\n")
    overloads = overload(size, options.seed)
    print(report.QUEUES, report.text(report.by_queue(overloads)), sep="\n", end="\n\n")
    reactions = responses.run(size, options.seed)
    print(report.RESPONSES, report.text(report.by_response(reactions)), sep="\n", end="\n\n")
    _search(quick=options.quick)
    _hunt(quick=options.quick)
    if options.write:
        report.write(results, overloads, reactions, _how(results[0].user_days, size.thefts, options.seed))
    print(f"In {monotonic() - began:.0f} s.")


def _search(*, quick: bool) -> None:
    for messages, ticks, round_trip in SEARCHES if quick else DEEP:
        rule = Siblings()
        found = search(rule, messages=messages, ticks=ticks, round_trip=round_trip)
        longest = round_trip * rule.parameters.confirm_after / ticks
        print(
            f"{messages} messages, round trips up to {longest:.0f} s: {found.orders:,} orders, {found.states:,} states;"
        )
        print("  no false verdict" if found.counterexample is None else "  a false verdict, at the earliest so:")
        _steps(found.counterexample)


def _hunt(*, quick: bool) -> None:
    for young in (False, True):
        hunted = hunt(Siblings(), 5 if quick else 6, young=young)
        print(
            f"Victim and thief, {'a young' if young else 'a confirmed'} token stolen: {hunted.orders:,} orders;"
            f" {hunted.settled:,} times the victim had settled."
        )
        print("  every token of the thief was dead" if hunted.escape is None else "  one was still good, after:")
        _steps(hunted.escape)


def _steps(steps: list[str] | None) -> None:
    for step in steps or ():
        print(f"    {step}")


def _how(user_days: int, thefts: int, seed: int) -> str:
    return (
        f"From `python -m lab.simulation --write --seed {seed}`: {user_days:,} user-days without a thief for each rule,"
        f" and {thefts} thefts by each kind of thief."
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab.simulation", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small part of it, in seconds")
    parser.add_argument("--seed", type=int, default=1, help="another seed tells other lives (default: 1)")
    parser.add_argument("--scale", action="store_true", help="what many people ask of servers, and nothing else")
    parser.add_argument("--write", action="store_true", help="write the figures into docs/explanation/rotation.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()
