"""Hash passwords with Argon2.

A burst of sign-ins must not exhaust the memory, slow down other pages or hold all threads.
"""

from base64 import b64decode
from threading import Condition
from typing import Any
from weakref import WeakSet

from argon2.exceptions import HashingError
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from accounts.security.hash_process import SLOTS, make_hash

PATIENCE = 20  # seconds, in which two cores make some hundred and forty hashes
# Of the places, for requests that only wait for another's answer: a form that is sent to a provider which gives none is
# pending for seconds, and costs nothing to send again.
COPIES = 0.25
MIN_SALT, MIN_DIGEST = 8, 4  # bytes (RFC 9106 §3.1)


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
        self._copies: WeakSet[HttpRequest] = WeakSet()
        self._left = Condition()

    def take(self, request: HttpRequest, share: float) -> bool:
        """Take a place, once for each request; return False if this `share` of all places is taken."""
        with self._left:
            if request not in self._requests and self.is_full(share):
                return False
            self._requests.add(request)
        return True

    def take_as_copy(self, request: HttpRequest, share: float) -> bool:
        """Take a place like `take`, for a request that waits for another's answer, unless such take COPIES of all."""
        with self._left:
            if len(self._copies) >= max(1, int(self.places * COPIES)) or not self.take(request, share):
                return False
            self._copies.add(request)
        return True

    def is_full(self, share: float) -> bool:
        """Return whether this `share` of all places is taken."""
        return len(self._requests) >= max(1, int(self.places * share))

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
                self._copies.discard(request)
                self._left.notify()


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
        parameters = self.params()  # type: ignore[attr-defined]  # the stubs do not have it
        return f"{self.algorithm}{make_hash(password, salt.encode(), parameters)}"

    def verify(self, password: str, encoded: str) -> bool:
        parts = self.decode(encoded)
        try:
            made = make_hash(password, parts["salt"].encode("latin1"), parts["params"])
        except HashingError:
            return False
        return constant_time_compare(made.rpartition("$")[2], parts["hash"])
