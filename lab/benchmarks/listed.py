"""The revocation list, full: of real rows on PostgreSQL, all of which changed within one lifetime of an access token.

`python -m lab.benchmarks.listed ENTRIES` is a contender. One request in a lag pays a reading; all others pay the check.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from time import perf_counter
from typing import Any

from . import parts, peers, rounds, rows
from .report import Figure, Goal, Line, at_most, micro, milli

TITLE = "The revocation list"


def goal(environment: dict[str, str], effort: rounds.Effort) -> Goal:
    own = parts.database(environment, "listed")
    contender = rounds.Contender("listed", str(effort.entries), environment=own)
    found = rounds.compare([contender], effort.rounds, 100 * effort.times)
    note = f"{effort.entries:,} sessions of one lifetime of an access token are on it, in one process."
    lines = [
        Line("The check of a request", micro(found["check"]), goal=at_most(1, "µs")),
        Line("What is new, once in a lag", milli(found["incremental"]), goal=at_most(50, "ms")),
        Line("All of it: the first time", milli(found["whole"])),
        Line("Its memory", Figure(found["bytes"] / 1e6, "MB"), goal=at_most(20, "MB")),
    ]
    return Goal(TITLE, note, lines)


def main() -> None:
    entries = int(sys.argv[1])
    peers.configure(rows.STACK)
    peers.create_tables(migrated=True)
    fill(peers.alice(), entries)
    from tokens.models import RefreshToken
    from tokens.revocation import LocalRevocationList

    read = RefreshToken.objects.changed_within
    some = str(RefreshToken.objects.values_list("pk", flat=True)[entries // 2])

    def measure(times: int) -> rounds.Figures:
        known = LocalRevocationList()
        began = perf_counter()
        known.entry(some, read)
        whole = perf_counter() - began
        return {
            "whole": whole,
            "incremental": _next_reading(read, some),
            "check": rounds.least(lambda: known.entry(some, read), times),
            "bytes": memory,
        }

    memory = _memory(read)
    rounds.serve(measure)


def fill(user: Any, entries: int) -> None:
    """Insert sessions that ended within the last lifetime of an access token, evenly."""
    from tokens.conf import conf
    from tokens.models import RefreshToken

    first = RefreshToken.objects.start(user)
    ended = f"t.created_at - n * interval '{conf.access_lifetime / entries:.6f} seconds'"
    rows.copy(first, entries, changed_at=ended, revoked_at=ended)


def _next_reading(read: Any, some: str) -> float:
    """Measure the next reading, as when the lag is over: with none, each check reads."""
    from django.test import override_settings

    from tokens.revocation import LocalRevocationList

    with override_settings(TOKENS_REVOCATION_LAG=0):
        known = LocalRevocationList()
        known.entry(some, read)
        return rounds.clocked(lambda: known.entry(some, read), 1)


def _memory(read: Any) -> float:
    from tokens.revocation import LocalRevocationList

    known = LocalRevocationList()
    gc.collect()
    tracemalloc.start()
    try:
        known.entry("", read)
        return float(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()


if __name__ == "__main__":
    main()
