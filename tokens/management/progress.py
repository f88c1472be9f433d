"""Long work of a command: seen on a terminal while it lasts, and counted however it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand
from tqdm import tqdm


@contextmanager
def counting(command: BaseCommand, done: str, total: Callable[[], int]) -> Iterator[Callable[[int], object]]:
    """Hands out `count(number)`, to be called after each piece of work; then says "3 sessions deleted.", if `done` is
    "sessions deleted". `total` says how many it will be, and is asked only if a terminal is there to see it.

    Ctrl-C goes on to whoever called, after a line that says how far the work has come.
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
        command.stdout.write(f"Stopped: {number} {done} so far. Run it again to go on.")
        raise
    finally:
        shown.close()
    command.stdout.write(f"{number} {done}.")


def bar(total: Callable[[], int]) -> Any:
    """A bar to `update()` and to `close()`, which leaves nothing behind; without a terminal it shows nothing."""
    shown = tqdm(unit="", disable=None, leave=False)
    if not shown.disable:
        shown.reset(total())
    return shown
