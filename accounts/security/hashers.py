"""Hash passwords with Argon2 without letting a burst of sign-ins exhaust the memory, slow down other pages or hold all
threads."""

import os
import sys
from base64 import b64decode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore, Condition, get_native_id
from typing import Any, TypeVar
from weakref import WeakSet

from django.contrib.auth.hashers import Argon2PasswordHasher
from django.http import HttpRequest

Hashed = TypeVar("Hashed")

CORES = frozenset(os.sched_getaffinity(0) if sys.platform == "linux" else range(os.cpu_count() or 1))
# A hash takes 64 MiB and, with its four lanes, all the cores that it gets: all but one, which is left to pages. So a
# second hash at once only takes turns with the first one, unless there are more cores than two.
SLOTS = 1 if len(CORES) <= 2 else 2
PATIENCE = 20  # seconds, in which two cores make some hundred and forty hashes
MIN_SALT, MIN_DIGEST = 8, 4  # bytes (RFC 9106 §3.1)
NICE = 10  # of 19: other busy threads get nine times as much of a core


class HashQueue:
    """Bound how many requests hash, or wait for it: each holds a thread until it is answered.

    `places` is half of the threads of this process (project/server.py), so that the others answer everybody else. A
    request takes one before it does anything that costs, and leaves it when it is answered.
    """

    def __init__(self, places: int) -> None:
        self.places = places
        # Weak, so that a request that is lost is none that others wait for.
        self._requests: WeakSet[HttpRequest] = WeakSet()
        self._working: WeakSet[HttpRequest] = WeakSet()
        self._left = Condition()

    def take(self, request: HttpRequest, share: float) -> bool:
        """Take a place, once for each request; return False if this `share` of all places is taken."""
        with self._left:
            if len(self._requests - {request}) >= max(1, int(self.places * share)):
                return False
            self._requests.add(request)
        return True

    def wait(self, request: HttpRequest) -> bool:
        """Wait, in its place, until fewer than SLOTS others are at work; return False if that takes PATIENCE.

        What a sign-in does besides hashing would keep pages waiting for the interpreter, if a crowd did it at once.
        """
        with self._left:
            if not self._left.wait_for(lambda: len(self._working - {request}) < SLOTS, PATIENCE):
                return False
            self._working.add(request)
        return True

    def leave(self, request: HttpRequest) -> None:
        """Leave the place, if the request has one."""
        if request in self._requests:
            with self._left:
                self._requests.discard(request)
                self._working.discard(request)
                self._left.notify()


queue = HashQueue(places=32)
_slots = BoundedSemaphore(SLOTS)  # also for who hashes without a place, such as a command


class Argon2Hasher(Argon2PasswordHasher):
    """Hash with Argon2id by the second recommendation of RFC 9106 §4: 64 MiB, three passes, four lanes."""

    time_cost = 3
    memory_cost = 64 * 1024  # KiB
    parallelism = 4

    def decode(self, encoded: str) -> dict[str, Any]:
        """Return the parts, and raise ValueError also where Argon2 would refuse the hash, and so without hashing."""
        parts = super().decode(encoded)
        digest = b64decode(parts["hash"] + "=" * (-len(parts["hash"]) % 4), validate=True)
        if len(parts["salt"]) < MIN_SALT or len(digest) < MIN_DIGEST:
            raise ValueError("The hash is cut short.")
        return parts

    def encode(self, password: str, salt: str) -> str:
        return _hash_in_slot(super().encode, password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        return _hash_in_slot(super().verify, password, encoded)


def _hash_in_slot(make: Callable[[str, str], Hashed], password: str, other: str) -> Hashed:
    """Call `make` in one of the slots, in a thread that gives way to others, as do Argon2's own, which it starts."""
    with _slots, ThreadPoolExecutor(1, initializer=_give_way) as thread:
        return thread.submit(make, password, other).result()


def _give_way() -> None:
    """Lower the priority of this thread, and leave one core to others."""
    if sys.platform == "linux":  # Elsewhere only whole processes have a priority.
        this = os.PRIO_PROCESS, get_native_id()
        os.setpriority(*this, max(NICE, os.getpriority(*this)))
        os.sched_setaffinity(0, CORES - {min(CORES)} or CORES)
