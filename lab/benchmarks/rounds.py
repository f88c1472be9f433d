"""Fair turns: contenders wait in processes of their own, and are asked one after the other, again and again.

What a machine does besides falls on all alike, and the median of the rounds leaves out what fell on one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

Figures = dict[str, float]


@dataclass(frozen=True)
class Effort:
    """How much is done for a figure: turns, how often in a turn, seconds of load, and how large a crowd or a table."""

    rounds: int
    times: int
    seconds: float
    rows: tuple[int, ...]
    entries: int
    sessions: int
    crowd: int
    connections: int


class Contender:
    """A module of this package that answers each line on its standard input with a line of JSON: {name: figure}."""

    def __init__(self, module: str, *arguments: str, environment: Mapping[str, str]) -> None:
        self.module = module
        self.said = tempfile.TemporaryFile("w+")  # noqa: SIM115  (closed as the contender ends)
        self.process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-W", "ignore", "-m", f"lab.benchmarks.{module}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said,
            env=dict(environment),
            text=True,
        )

    def __enter__(self) -> Contender:
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.kill()
        self.process.communicate()
        self.said.close()

    def ask(self, times: int) -> Figures:
        """Return one figure for each thing that the contender does, measured over `times` of them."""
        print(times, file=self.process.stdin, flush=True)
        return self.answer()

    def answer(self) -> Figures:
        """Return the next line; the first says that the contender is ready."""
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            self.said.seek(0)
            raise SystemExit(f"lab.benchmarks.{self.module} gave up:\n{self.said.read()[-5000:]}")
        answer: Figures = json.loads(line)
        return answer


def compare(contenders: Iterable[Contender], rounds: int, times: int) -> Figures:
    """Return the median of each figure."""
    with ExitStack() as stack:
        asked = [stack.enter_context(contender) for contender in contenders]
        for contender in asked:
            contender.answer()
        if rounds > 1:
            for contender in asked:
                contender.ask(max(1, times // 5))  # warm
        turns = [_turn(asked, times) for _ in range(rounds)]
    return {name: median(turn[name] for turn in turns) for name in turns[0]}


def _turn(asked: Iterable[Contender], times: int) -> Figures:
    return {name: each for contender in asked for name, each in contender.ask(times).items()}


def told(module: str, *arguments: str, environment: Mapping[str, str], timeout: float = 300) -> Any:
    """Return what a module of this package prints, which is JSON. Raise SystemExit, with its errors, if it fails."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-W", "ignore", "-m", f"lab.benchmarks.{module}", *arguments],
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    if done.returncode:
        raise SystemExit(f"lab.benchmarks.{module} gave up:\n{done.stderr[-5000:]}")
    return json.loads(done.stdout)


def serve(measure: Callable[[int], Figures]) -> None:
    """Answer as a contender: `measure(times)` for each line that comes, until there are no more."""
    print("{}", flush=True)
    for line in sys.stdin:
        print(json.dumps(measure(int(line))), flush=True)


def clocked(act: Callable[[], object], times: int) -> float:
    """Return the seconds for one."""
    began = perf_counter()
    for _ in range(times):
        act()
    return (perf_counter() - began) / times


def least(act: Callable[[], object], times: int) -> float:
    """Return the seconds for one, the least of small batches: what happens besides makes nothing faster."""
    return min(clocked(act, max(1, times // 10)) for _ in range(min(times, 10)))


def above(floor: Callable[[], object], act: Callable[[], object], times: int) -> tuple[float, float]:
    """Return the seconds for one of each, the least of small batches by turns."""
    batch = max(1, times // 10)
    pairs = [(clocked(floor, batch), clocked(act, batch)) for _ in range(min(times, 10))]
    return min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)


def counted(act: Callable[[], Any]) -> tuple[Any, list[str]]:
    """Return what `act` gives, and the statements that it sent."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        given = act()
    return given, [query["sql"] for query in queries]
