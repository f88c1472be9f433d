"""That hashes leave room for pages."""

import os
import sys
from threading import Thread, get_native_id

import pytest

from accounts.security import hashers


class TestTheQueue:
    @pytest.fixture
    def queue(self, rf):
        """Everybody in it has a place, and as many as may be are at work."""
        queue = hashers.HashQueue(places=8)
        self.requests = [rf.get("/") for _ in range(hashers.SLOTS + 1)]
        for request in self.requests:
            assert queue.take(request, 1.0)
        for request in self.requests[:-1]:
            queue.wait(request)
        return queue

    def test_has_so_many_at_work_and_the_others_wait(self, queue):
        waiting = Thread(target=queue.wait, args=[self.requests[-1]], daemon=True)
        waiting.start()
        waiting.join(0.1)
        assert waiting.is_alive()
        queue.leave(self.requests[0])
        waiting.join()
        assert self.requests[-1] in queue._working

    def test_has_whoever_is_at_work_wait_no_second_time(self, queue):
        queue.wait(self.requests[0])

    def test_forgets_a_request_that_is_lost(self, queue):
        last = self.requests.pop()
        self.requests.clear()
        queue.wait(last)
        assert len(queue._requests) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="Elsewhere threads have no priority and no cores of their own.")
def test_a_hash_gives_way_and_leaves_a_core():
    def look(*_: str) -> tuple[int, frozenset[int]]:
        return os.getpriority(os.PRIO_PROCESS, get_native_id()), frozenset(os.sched_getaffinity(0))

    before = look()
    priority, cores = hashers._hash_in_slot(look, "", "")
    assert priority >= hashers.NICE
    assert cores < hashers.CORES or len(hashers.CORES) == 1
    assert look() == before
