"""How soon a server answers that was just started, and how much memory its worker takes once it is warm."""

from __future__ import annotations

from statistics import median

from . import rounds
from .load import Load, page
from .report import Figure, Goal, Line, at_most
from .server import Server

TITLE = "Start-up and memory"
NOTE = "gunicorn with the project's own configuration, from the start of the process; the worker after some load."


def goal(environment: dict[str, str], effort: rounds.Effort) -> Goal:
    asked = page("/pages/hello/", environment["BENCHMARKS_TOKENS"])
    seconds, memory = [], []
    for _ in range(min(3, effort.rounds)):
        with Server(environment, first="/pages/hello/") as server:
            seconds.append(server.first_answer)
            Load(server.port, asked, b"\r\n\r\nalice", connections=8).run(effort.seconds)
            memory.append(server.memory())
    lines = [
        Line("The first answer", Figure(median(seconds), "s"), goal=at_most(0.5, "s")),
        Line("A worker's memory", Figure(median(memory) / 1e6, "MB"), goal=at_most(80, "MB")),
    ]
    return Goal(TITLE, NOTE, lines)
