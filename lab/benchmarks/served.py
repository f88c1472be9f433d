"""The whole site over HTTP: signed in with tokens, signed in with Django's sessions in the database, and not signed in.

gunicorn with the project's own configuration on one core, the load generator on another; PostgreSQL wherever there is
room.
"""

from __future__ import annotations

from contextlib import ExitStack
from statistics import median

from . import rounds
from .load import Load, page, pinned
from .report import Figure, Goal, Line, at_least, at_most
from .server import Server

TITLE = "The whole stack over HTTP"
NOTE = "Requests a second of one worker on one core; the ratio says how many times as many ours are."
OURS, OURS_BARE, THEIRS, THEIRS_BARE = (
    "Sojourn, signed in",
    "Sojourn's stack, nobody signed in",
    "Django sessions on PostgreSQL, signed in",
    "Django sessions' stack, nobody signed in",
)
CONNECTIONS = 8
SPELLS = 4


def goal(environment: dict[str, str], effort: rounds.Effort) -> Goal:
    by_tokens, by_session = (environment[f"BENCHMARKS_{name}"] for name in ("TOKENS", "SESSION"))
    with ExitStack() as stack:
        with pinned(0):
            ours = stack.enter_context(Server(environment)).port
            theirs = stack.enter_context(Server({**environment, "BENCHMARKS_SESSIONS": "yes"})).port
        asked = {
            OURS: Load(ours, page("/pages/hello/", by_tokens), b"\r\n\r\nalice", CONNECTIONS),
            OURS_BARE: Load(ours, page("/pages/hello/"), b"\r\n\r\nnobody", CONNECTIONS),
            THEIRS: Load(theirs, page("/pages/hello/", by_session), b"\r\n\r\nalice", CONNECTIONS),
            THEIRS_BARE: Load(theirs, page("/pages/hello/"), b"\r\n\r\nnobody", CONNECTIONS),
        }
        with pinned(-1):
            for load in asked.values():
                load.run(effort.seconds / 5)  # warm
            turns = [{name: _rate(load, effort.seconds) for name, load in asked.items()} for _ in range(effort.rounds)]
    rates = {name: median(turn[name] for turn in turns) for name in asked}
    goals = {OURS_BARE: at_most(1.1), THEIRS: at_least(1.8)}
    ratios = {OURS_BARE: rates[OURS_BARE] / rates[OURS], THEIRS: rates[OURS] / rates[THEIRS]}
    lines = [Line(name, Figure(rate, "/s"), ratios.get(name), goals.get(name)) for name, rate in rates.items()]
    return Goal(TITLE, NOTE, lines, "served")


def _rate(load: Load, seconds: float) -> float:
    """Return the most of a few spells: what happens besides makes nothing faster."""
    spell = seconds / SPELLS
    return max(len(load.run(spell)) for _ in range(SPELLS)) / spell
