"""Progress of a long-running command: shown on a terminal while it lasts, and counted however it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand

try:
    from tqdm import tqdm
except ImportError:  # no requirement of the app: without it, a command says what it has done at its end
    tqdm = None


@contextmanager
def counting(command: BaseCommand, done: str, total: Callable[[], int]) -> Iterator[Callable[[int], object]]:
    """Yield `count(number)`, to be called after each piece of work; then write how many were `done`.

    If `done` is "sessions deleted", that is "3 sessions deleted." `total` returns how many there will be, and is called
    only if a terminal shows it. Ctrl-C is raised again after a line that says how far the work has come.
    """
    shown = bar(total)
    number = 0

    def count(more: int) -> None:
        nonlocal number
        number += more
        shown.update(more)

    try:
        yield count
    except KeyboardInterrupt:
        shown.close()
        command.stdout.write(f"Stopped: {number} {done} so far. Run it again to continue.")
        raise
    finally:
        shown.close()
    command.stdout.write(f"{number} {done}.")


def bar(total: Callable[[], int]) -> Any:
    """Return a progress bar to `update()` and `close()`, which disappears.

    It shows nothing without a terminal, or without tqdm.
    """
    if tqdm is None:
        return NoBar()
    shown = tqdm(unit="", disable=None, leave=False)
    if not shown.disable:
        shown.reset(total())
    return shown


class NoBar:
    def update(self, more: int = 1) -> None: ...

    def close(self) -> None: ...
