"""Hash passwords with Argon2 without letting a burst of sign-ins exhaust the memory, slow down other pages or hold all
threads."""

import os
import sys
from base64 import b64decode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore, Lock, get_native_id
from typing import Any, TypeVar
from weakref import WeakSet

from django.contrib.auth.hashers import Argon2PasswordHasher
from django.http import HttpRequest

Hashed = TypeVar("Hashed")

# A hash takes 64 MiB and, with its four lanes, every core of a small machine. Two at once keep the cores busy; a third
# would only slow all three down. So a burst of sign-ins costs a process at most 128 MiB, and the rest of them wait
# without having allocated any memory.
SLOTS = BoundedSemaphore(2)
MIN_SALT, MIN_DIGEST = 8, 4  # bytes (RFC 9106 §3.1)
NICE = 10  # of 19: other busy threads get nine times as much of a core


class HashQueue:
    """Bound how many requests hash, or wait for it: each holds a thread until it is answered.

    `places` is half of the threads of this process (project/server.py), so that the others answer everybody else. A
    request takes a place before anything is hashed, which throttle.hit does, and leaves it when it is answered.
    """

    def __init__(self, places: int) -> None:
        self.places = places
        self._requests: WeakSet[HttpRequest] = WeakSet()
        self._lock = Lock()

    def take(self, request: HttpRequest, share: float) -> bool:
        """Take a place, once for each request; return False if this `share` of all places is taken."""
        with self._lock:
            if len(self._requests - {request}) >= max(1, int(self.places * share)):
                return False
            self._requests.add(request)
        return True

    def leave(self, request: HttpRequest) -> None:
        """Leave the place, if the request has one."""
        with self._lock:
            self._requests.discard(request)


queue = HashQueue(places=32)


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
