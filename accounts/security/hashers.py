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

QUEUE_TIMEOUT = 20  # seconds, in which two cores make some hundred and forty hashes
# Of the capacity, for requests that only wait for another's answer: a form that is sent to a provider which gives none
# is pending for seconds, and costs nothing to send again.
COPIES_SHARE = 0.25
MIN_SALT, MIN_DIGEST = 8, 4  # bytes (RFC 9106 §3.1)


class HashQueue:
    """Bound how many requests hash, or wait for it: each holds a thread until it is answered.

    `capacity` is half of the threads of this process (project/server.py), so that the others answer everybody else. A
    request joins before it does anything that costs, and leaves when it is answered.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        # Weak, so that a request that is lost is none that others wait for.
        self._requests: WeakSet[HttpRequest] = WeakSet()
        self._hashing: WeakSet[HttpRequest] = WeakSet()
        self._copies: WeakSet[HttpRequest] = WeakSet()
        self._changed = Condition()

    def join(self, request: HttpRequest, share: float) -> bool:
        """Add `request`, unless it has joined before; return False if this `share` of the capacity is full."""
        with self._changed:
            if request not in self._requests and self.is_full(share):
                return False
            self._requests.add(request)
        return True

    def join_as_copy(self, request: HttpRequest, share: float) -> bool:
        """Join like `join` for a request that waits for another's answer, unless such fill COPIES_SHARE."""
        with self._changed:
            if len(self._copies) >= max(1, int(self.capacity * COPIES_SHARE)) or not self.join(request, share):
                return False
            self._copies.add(request)
        return True

    def is_full(self, share: float) -> bool:
        """Return whether this `share` of the capacity is full."""
        return len(self._requests) >= max(1, int(self.capacity * share))

    def wait_for_slot(self, request: HttpRequest) -> bool:
        """Wait until fewer than SLOTS others have their turn; return False if that takes QUEUE_TIMEOUT.

        What a sign-in does besides hashing would keep pages waiting for the interpreter, if a crowd did it at once.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._hashing - {request}) < SLOTS, QUEUE_TIMEOUT):
                return False
            self._hashing.add(request)
        return True

    def leave(self, request: HttpRequest) -> None:
        """Make room for another, if the request has joined."""
        if request in self._requests:
            with self._changed:
                self._requests.discard(request)
                self._hashing.discard(request)
                self._copies.discard(request)
                self._changed.notify()


queue = HashQueue(capacity=32)


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
