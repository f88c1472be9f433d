"""python -m lab.benchmarks: what it costs to be signed in, beside what people would use instead; in under five minutes.

Each goal is a line with its ratio and whether it is met. Everything runs here and now: PostgreSQL, Redis, the server.
Nothing is written unless `--write` is given; it puts the tables and the pictures into docs/explanation/benchmarks.md.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from time import monotonic
from typing import NoReturn

from . import (
    bound,
    connected,
    first_seen,
    listed,
    machine,
    many,
    parts,
    people,
    refreshed,
    report,
    served,
    signed_in,
    signing_in,
    stack,
    started,
)
from .rounds import Effort

Measured = Callable[[dict[str, str], Effort], report.Goal]

GOALS: dict[str, Measured] = {
    "signed_in": signed_in.goal,
    "first_seen": first_seen.goal,
    "stack": stack.goal,
    "served": served.goal,
    "connected": connected.goal,
    "refreshed": refreshed.goal,
    "bound": bound.goal,
    "signing_in": signing_in.goal,
    "many": many.goal,
    "listed": listed.goal,
    "started": started.goal,
}

WHOLE = Effort(
    rounds=5,
    times=200,
    seconds=1,
    rows=(10_000, 1_000_000),
    entries=100_000,
    sessions=10_000,
    crowd=150,
    connections=1_000,
)
ONCE = Effort(rounds=1, times=1, seconds=0.1, rows=(100,), entries=100, sessions=20, crowd=2, connections=10)
LIMIT = 900  # seconds, several times what it takes; whatever hangs is killed then
LARGEST, LARGEST_LIMIT = 10_000_000, 1_800


def main() -> None:
    options = _options()
    effort, limit = (ONCE if options.once else WHOLE), LIMIT
    if options.full:
        effort, limit = replace(effort, rows=(*effort.rows, LARGEST)), LARGEST_LIMIT
    _end_after(limit)
    began, load = monotonic(), machine.load()
    goals = []
    with parts.running() as parts_alone:
        environment = people.made(parts_alone, effort.crowd)
        for name in options.only or GOALS:
            goals.append(GOALS[name](environment, effort))
            print(report.text(goals[-1]), end="\n\n", flush=True)
        how = machine.words(parts.version(environment), load)
    print(report.verdict(goals), how, f"In {monotonic() - began:.0f} s.", sep="\n\n")
    if options.write:
        report.write(goals, f"From `python -m lab.benchmarks {' '.join(sys.argv[1:])}`. {how}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab.benchmarks", description=__doc__)
    parser.add_argument("only", nargs="*", choices=[*GOALS, []], help="these alone")
    parser.add_argument("--once", action="store_true", help="everything once, which says nothing of speed: in seconds")
    parser.add_argument("--full", action="store_true", help=f"a table of {LARGEST:,} sign-ins too, in minutes")
    parser.add_argument("--write", action="store_true", help="write the figures into docs/explanation/benchmarks.md")
    options = parser.parse_args()
    if options.write and (options.only or options.once):
        parser.error("The page has all goals, and real figures.")
    return options


def _end_after(limit: int) -> None:
    """Make sure that the programs that were started end with this one, as each is held by a `with`."""

    def end(number: int, frame: object) -> NoReturn:
        signal.alarm(0)
        raise SystemExit(f"Ended after {limit} s." if number == signal.SIGALRM else 1)

    for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    signal.alarm(limit)


if __name__ == "__main__":
    main()
