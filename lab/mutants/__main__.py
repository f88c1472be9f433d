"""Put one small fault after the other into a copy of the code, and see whether the tests notice.

    python -m lab.mutants [--only PATTERN] [--jobs N]

Each mutant in `mutants.toml` replaces `old` by `new` in `file`, and `tests` are what should fail then. A mutant that
lives although it isn't marked `survives = true` points to a test that is missing, or that cannot fail.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing import connection, get_context
from multiprocessing.context import ForkProcess
from pathlib import Path
from time import monotonic

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 300  # seconds for the tests of one mutant; one that makes them hang is as good as found
# In the order in which they are written, so that the cheapest of `tests` can stand first.
OPTIONS = ("-x", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:schemathesis", "-o", "addopts=")
KILLED, SURVIVED, BROKEN = "killed", "survived", "broken"
CRASHED = 99
VERDICTS = {0: SURVIVED, 1: KILLED, 2: KILLED}  # pytest's exit codes; 2 is an error during collection
# Imported before the processes fork, because to import them takes longer than most tests. Nothing of ours is among
# them, and nothing whose assertions pytest rewrites.
HEAVY = ("django.test", "django.contrib.admin", "cryptography.hazmat.primitives.asymmetric.rsa", "jwt")


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fault: `breaks` says in one sentence what it breaks, `reason` why nobody can notice one that `survives`."""

    id: str
    breaks: str
    file: str
    old: str
    new: str
    tests: list[str]
    before: str = ""
    survives: bool = False
    reason: str = ""

    @property
    def applies(self) -> bool:
        path = ROOT / self.file
        return self.old != self.new and path.is_file() and path.read_text().count(self.old) == 1

    def matches(self, pattern: str) -> bool:
        return any(re.search(pattern, text) for text in (self.id, self.file, self.breaks))


@dataclass
class Worker:
    """A copy of the code in which one mutant at a time lives, and the process that runs its tests."""

    tree: Path
    mutant: Mutant | None = None
    process: ForkProcess | None = None
    ends_at: float = field(default=0.0)

    def start(self, mutant: Mutant) -> None:
        path = self.tree / mutant.file
        path.write_text((ROOT / mutant.file).read_text().replace(mutant.old, mutant.new))
        self.mutant, self.ends_at = mutant, monotonic() + LIMIT
        self.process = get_context("fork").Process(target=run_tests, args=(self.tree, mutant.tests))
        self.process.start()

    def verdict(self) -> str | None:
        """Return what became of the mutant and restore its file, or None while its tests run."""
        assert self.process and self.process.pid and self.mutant  # noqa: S101
        late = monotonic() > self.ends_at
        if self.process.is_alive() and not late:
            return None
        if late:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.join()
        shutil.copy2(ROOT / self.mutant.file, self.tree / self.mutant.file)
        return KILLED if late else VERDICTS.get(self.process.exitcode, BROKEN)


def run_tests(tree: Path, tests: list[str]) -> None:
    """Run `tests` in `tree` and end this process, which is a child of its own, with pytest's exit code."""
    import pytest

    os.setsid()  # so that servers which a test starts end with it
    output = os.open(tree.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(tree)
    sys.path[0] = str(tree)
    sys.dont_write_bytecode = True  # a mutant of the same size and second must not be taken for the one before
    for name in [name for name in sys.modules if name.partition(".")[0] == "lab"]:
        del sys.modules[name]
    code = CRASHED  # which must not be taken for a test that failed
    try:
        code = int(pytest.main([*OPTIONS, *tests]))
    finally:
        sys.stdout.flush()
        os._exit(code)


def verdicts(mutants: list[Mutant], jobs: int, folder: Path) -> Iterator[tuple[Mutant, str]]:
    """Yield each mutant with its verdict, as they come."""
    ignore: Callable[..., set[str]] = shutil.ignore_patterns(".git", "__pycache__", ".*_cache", "node_modules")
    idle = [Worker(shutil.copytree(ROOT, folder / f"tree-{number}", ignore=ignore)) for number in range(jobs)]
    waiting, busy = mutants[::-1], list[Worker]()
    while waiting or busy:
        while waiting and idle:
            busy.append(idle.pop())
            busy[-1].start(waiting.pop())
        connection.wait([worker.process.sentinel for worker in busy if worker.process], timeout=5)
        for worker in busy[:]:
            if worker.mutant and (verdict := worker.verdict()):
                busy.remove(worker)
                idle.append(worker)
                yield worker.mutant, verdict


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m lab.mutants", description="Try whether the tests find faults.")
    parser.add_argument("--only", default="", metavar="PATTERN", help="those whose id, file or sentence matches")
    parser.add_argument("--jobs", type=int, default=1, help="how many at once (1)")
    options = parser.parse_args()
    entries = tomllib.loads((Path(__file__).parent / "mutants.toml").read_text())["mutant"]
    mutants = [mutant for mutant in (Mutant(**entry) for entry in entries) if mutant.matches(options.only)]
    misfits = [mutant for mutant in mutants if not mutant.applies]
    for mutant in misfits:
        print(f"{mutant.id}: `old` isn't in {mutant.file} exactly once.")
    for name in HEAVY:
        __import__(name)
    # A test that fails without any fault would seem to find each one: so at first each has to pass.
    paths = dict.fromkeys(test for mutant in mutants for test in mutant.tests)
    sound = [Mutant(path, "Nothing.", "manage.py", "", "", [path], survives=True) for path in paths]
    surprises = list[Mutant]()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        for mutant, verdict in verdicts(sound + [each for each in mutants if each.applies], options.jobs, Path(folder)):
            print(f"{verdict:8}  {mutant.id:20}  {mutant.breaks}", flush=True)
            if verdict != (SURVIVED if mutant.survives else KILLED):
                surprises.append(mutant)
    print(f"\n{len(mutants)} mutants, {len(surprises)} surprises, {len(misfits)} that do not apply.")
    for mutant in surprises:
        print(f"  {mutant.id}  {mutant.file}  {mutant.breaks}")
    return 1 if surprises or misfits else 0


if __name__ == "__main__":
    sys.exit(main())
