"""Put one small fault after the other into a copy of the code, and see whether the tests notice.

    python -m lab.mutants [--only PATTERN] [--jobs N]

Each mutant in `mutants.toml` replaces `old` by `new` in `file`, and one of `tests` should fail then. A mutant that
lives although it isn't marked `survives = true` shows that a test is missing, or cannot fail.
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
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import connection
from multiprocessing.context import ForkProcess
from pathlib import Path
from time import monotonic

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 300  # seconds for the tests of one mutant; those that take longer say nothing about it
# Tests run in the order in which they are written, so that the cheapest can stand first, and with few plugins.
PLUGINS = ("pytest_django.plugin", "pytest_timeout", "pytest_playwright.pytest_playwright", "no:cacheprovider")
OPTIONS = ["-x", "-q", "-o", "addopts=", *(f"-p{name}" for name in PLUGINS)]
KILLED, SURVIVED, BROKEN = "killed", "survived", "broken"
VERDICTS = {0: SURVIVED, 1: KILLED, 2: KILLED}  # pytest's exit codes; 2 is an error during collection
# Imported before the processes fork, since that takes longer than most tests. pytest must rewrite none of these.
HEAVY = (
    *("django.test", "django.contrib.admin", "django.db.backends.sqlite3.base", "django.core.cache.backends.redis"),
    *("hypothesis.strategies", "jwt", "cryptography.hazmat.primitives.asymmetric.rsa", "structlog.stdlib"),
    *("structlog.dev", "prometheus_client", "argon2", "environ", "whitenoise", "ua_parser", "tqdm", "pytest"),
    *("playwright.sync_api", "aiosmtpd.controller"),
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fault: `breaks` says in one sentence what it breaks, `reason` why nothing can notice one that `survives`."""

    id: str
    breaks: str
    file: str
    old: str
    new: str
    tests: list[str]
    survives: bool = False
    reason: str = ""

    @property
    def applies(self) -> bool:
        path = ROOT / self.file
        return self.old != self.new and path.is_file() and path.read_text().count(self.old) == 1


class Worker:
    """A copy of the code in which one mutant at a time lives, and the process that runs its tests."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".git", "__pycache__", ".*_cache", "node_modules"))

    def start(self, mutant: Mutant) -> None:
        (self.tree / mutant.file).write_text((ROOT / mutant.file).read_text().replace(mutant.old, mutant.new))
        self.mutant, self.ends_at = mutant, monotonic() + LIMIT
        self.process = ForkProcess(target=run_tests, args=(self.tree, mutant.tests))
        self.process.start()

    def verdict(self) -> str | None:
        """Return what became of the mutant, and restore its file; None while its tests run."""
        late = monotonic() > self.ends_at
        if self.process.is_alive() and not late:
            return None
        if late:
            os.killpg(self.process.pid or 0, signal.SIGKILL)
        self.process.join()
        shutil.copy2(ROOT / self.mutant.file, self.tree / self.mutant.file)
        return BROKEN if late else VERDICTS.get(self.process.exitcode or 0, BROKEN)


def run_tests(tree: Path, tests: list[str]) -> None:
    """Run `tests` in `tree` and end this process, which is a child of its own, with pytest's exit code."""
    import pytest

    os.setsid()  # so that servers which a test starts end with it
    output = os.open(tree.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(tree)
    sys.path[0] = str(tree)
    sys.dont_write_bytecode = True  # or a mutant of the same size and second could be taken for the one before it
    code = 3  # pytest's own word for a crash, which must not be taken for a test that failed
    try:
        code = int(pytest.main([*OPTIONS, *tests]))
    finally:
        sys.stdout.flush()
        os._exit(code)


def verdicts(mutants: list[Mutant], jobs: int, folder: Path) -> Iterator[tuple[Mutant, str]]:
    """Yield each mutant with its verdict, as they come."""
    waiting, busy = mutants[::-1], list[Worker]()
    idle = [Worker(folder / f"tree-{number}") for number in range(jobs)]
    while waiting or busy:
        while waiting and idle:
            busy.append(idle.pop())
            busy[-1].start(waiting.pop())
        connection.wait([worker.process.sentinel for worker in busy], timeout=5)
        for worker in busy[:]:
            if verdict := worker.verdict():
                busy.remove(worker)
                idle.append(worker)
                yield worker.mutant, verdict


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m lab.mutants", description="Find out what the tests don't notice.")
    parser.add_argument("--only", default="", metavar="PATTERN", help="those whose id, file or sentence matches")
    parser.add_argument("--jobs", type=int, default=1, help="how many at once (1)")
    parser.add_argument("--trusting", action="store_true", help="skip the run without a fault, which all tests pass")
    options = parser.parse_args()
    entries = tomllib.loads(Path(__file__).with_name("mutants.toml").read_text())["mutant"]
    mutants = [Mutant(**each) for each in entries if re.search(options.only, "{id} {file} {breaks}".format(**each))]
    surprises = [f"{each.id}: `old` isn't in {each.file} exactly once." for each in mutants if not each.applies]
    # A test that fails without a fault would seem to notice all of them.
    paths = dict.fromkeys(path for mutant in mutants for path in mutant.tests if not options.trusting)
    sound = [Mutant(path, "Nothing.", "manage.py", "", "", [path], survives=True) for path in paths]
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    for name in HEAVY:
        import_module(name)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        for mutant, verdict in verdicts(sound + [each for each in mutants if each.applies], options.jobs, Path(folder)):
            print(f"{verdict:8}  {mutant.id:24}  {mutant.breaks}", flush=True)
            if verdict != (SURVIVED if mutant.survives else KILLED):
                surprises.append(f"{mutant.id} {verdict}: {mutant.file}: {mutant.breaks}")
    print(f"\n{len(mutants)} mutants, {len(surprises)} surprises.", *surprises, sep="\n  ")
    return 1 if surprises else 0


if __name__ == "__main__":
    sys.exit(main())
