"""Argon2 that cannot be made to take all of the machine's memory."""

from threading import BoundedSemaphore

from django.contrib.auth.hashers import Argon2PasswordHasher

# A hash takes 64 MiB and, with its four lanes, every core of a small machine. Two at once keep the
# cores busy; a third would only make all three slower. So a burst of log-ins costs a process
# 128 MiB at most and the rest of it waits in line, without having taken any memory yet.
SLOTS = BoundedSemaphore(2)


class Argon2Hasher(Argon2PasswordHasher):
    """Argon2id by the second recommendation of RFC 9106 §4: 64 MiB, three passes, four lanes."""

    time_cost = 3
    memory_cost = 64 * 1024  # KiB
    parallelism = 4

    def encode(self, password: str, salt: str) -> str:
        with SLOTS:
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        with SLOTS:
            return super().verify(password, encoded)
