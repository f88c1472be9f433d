"""Hash passwords with Argon2 in processes of their own, of the lowest priority on the machine.

A thread of low priority would now and then hold the interpreter of the whole server while others have its core. This
module is the program of such a process, too, so it imports nothing of Django: a process takes 13 MB instead of 39.
"""

import atexit
import json
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from threading import BoundedSemaphore, Thread

from argon2 import Parameters
from argon2.exceptions import HashingError
from argon2.low_level import Type, hash_secret

CORES = frozenset(os.sched_getaffinity(0) if sys.platform == "linux" else range(os.cpu_count() or 1))
# A hash takes 64 MiB and, with its four lanes, all the cores that it gets: all but one, which is left to pages. So a
# second hash at once only takes turns with the first one, unless there are more cores than two.
SLOTS = 1 if len(CORES) <= 2 else 2
ANSWER_TIMEOUT = 3  # seconds, twenty times what a hash takes if anything is left for it
LAST_TIMEOUT = 60  # seconds for a process that is not idle: one that hangs must not hold its slot for ever
NICE = 10  # of 19: other busy processes get nine times as much of a core
IDLE = "--idle"
EXHAUSTED = {"Memory allocation error", "Threading failure"}

_slots = BoundedSemaphore(SLOTS)
_free: list["HashProcess"] = []


def make_hash(password: str, salt: bytes, parameters: Parameters) -> str:
    """Return the hash as Argon2 encodes it. Raise HashingError if Argon2 refuses the parameters.

    A process that gives no answer, as it was killed or others leave it no time, is replaced by one that gets its share.
    """
    p = parameters
    costs = p.time_cost, p.memory_cost, p.parallelism, p.hash_len, p.type.value, p.version
    question = json.dumps((password.encode().hex(), salt.hex(), *costs))
    with _slots:
        process = _free.pop() if _free else HashProcess(idle=True)
        answer = process.ask(question)
        if not answer:
            process.kill()
            process = HashProcess(idle=False)
            answer = process.ask(question)
        if not answer:
            process.kill()
            raise RuntimeError("The process that hashes passwords has ended.")
        _free.append(process)  # Only now: an answer that is left would be the next one's.
    made: str | None = json.loads(answer)
    if made is None:
        raise HashingError
    return made


class HashProcess:
    """Run a process that hashes, until it is closed or this process ends."""

    def __init__(self, *, idle: bool) -> None:
        self._timeout = ANSWER_TIMEOUT if idle else LAST_TIMEOUT
        command = [sys.executable, "-P", __file__, *([IDLE] if idle else [])]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)  # noqa: S603  (this very file)

    def ask(self, question: str) -> str:
        """Return the answer, or "" if there is none in time."""
        assert self._process.stdin and self._process.stdout  # noqa: S101  (They are pipes.)
        try:
            print(question, file=self._process.stdin, flush=True)
        except BrokenPipeError:
            return ""
        answered = select.poll()
        answered.register(self._process.stdout)
        return self._process.stdout.readline() if answered.poll(1000 * self._timeout) else ""

    def close(self) -> None:
        """Have the process end once it has answered: nobody writes to it any more."""
        assert self._process.stdin and self._process.stdout  # noqa: S101  (They are pipes.)
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.returncode = 0  # nobody waits for its end, and Python need not warn of that

    def kill(self) -> None:
        """End the process, without waiting for it: to end, it may have to wait for a core."""
        self._process.kill()
        Thread(target=self._process.communicate, daemon=True).start()


@atexit.register
def close_all() -> None:
    """Close all processes: at the end, and after a fork, or two would read each other's answers."""
    while _free:
        _free.pop().close()


def _reset_after_fork() -> None:
    """Wait for no thread of the parent, which does not exist here."""
    global _slots
    _slots = BoundedSemaphore(SLOTS)
    close_all()


os.register_at_fork(after_in_child=_reset_after_fork)


def main() -> None:
    """Answer each line on the standard input, until there are no more."""
    for number in (signal.SIGINT, signal.SIGTERM):  # meant for the server, which answers what it has begun
        signal.signal(number, signal.SIG_IGN)
    lower_priority(idle=IDLE in sys.argv)
    for line in sys.stdin:
        print(json.dumps(_hash(*json.loads(line))), flush=True)


def lower_priority(*, idle: bool) -> None:
    """Leave one core to others and, if `idle`, the other ones as well as long as they want them."""
    os.nice(NICE)
    if sys.platform == "linux":
        with suppress(OSError):  # Some containers do not allow it.
            os.sched_setaffinity(0, CORES - {min(CORES)} or CORES)
            if idle:
                os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _hash(password: str, salt: str, *costs: int) -> str | None:
    time_cost, memory_cost, parallelism, hash_len, type_, version = costs
    try:
        secret = bytes.fromhex(password), bytes.fromhex(salt)
        return hash_secret(*secret, time_cost, memory_cost, parallelism, hash_len, Type(type_), version).decode()
    except HashingError as error:
        if str(error) in EXHAUSTED:  # It must not seem that the password is wrong.
            raise
        return None


if __name__ == "__main__":
    main()
