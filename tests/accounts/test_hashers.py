"""The hash of a password, and the processes that make it: they leave room for pages, and are replaced."""

import os
import resource
import signal
import sys
from pathlib import Path
from threading import Barrier, BoundedSemaphore
from unittest.mock import Mock

import pytest
from argon2 import PasswordHasher
from argon2.exceptions import HashingError

from accounts.security import hash_process, hashers
from accounts.security.hash_process import CORES
from tests.conftest import PASSWORD
from tests.hashers import QuickArgon2Hasher
from tests.tokens.racing import together

PARAMETERS = QuickArgon2Hasher().params()


class TestArgon2Hasher:
    def test_hashes_by_the_second_recommendation_of_rfc_9106(self):
        encoded = hashers.Argon2Hasher().encode("password", "saltsaltsalt")
        assert encoded.startswith("argon2$argon2id$v=19$m=65536,t=3,p=4$")

    def test_a_burst_takes_no_more_than_the_slots(self, monkeypatch):
        """Two hashes at work wait for each other; a third would break the barrier for all."""
        monkeypatch.setattr(hash_process, "_slots", BoundedSemaphore(2))
        monkeypatch.setattr(hash_process, "_free", [])
        meeting, running, most = Barrier(2), [], []

        def work(question):
            running.append(1)
            meeting.wait(30)
            most.append(len(running))
            meeting.wait(30)
            running.pop()
            return '"$hash"'

        monkeypatch.setattr(hash_process, "HashProcess", Mock(return_value=Mock(ask=work)))
        hasher = hashers.Argon2Hasher()
        together([lambda: hasher.encode("a", "saltsalt")] * 6)
        assert most == [2] * 6

    def test_a_slot_is_given_back_after_an_error(self):
        for _ in range(5):
            with pytest.raises(HashingError):
                hashers.Argon2Hasher().encode("password", "short")


class TestTheProcess:
    @pytest.fixture(autouse=True)
    def _is_new(self):
        self._end()
        yield
        self._end()

    def _end(self):
        while hash_process._free:
            process = hash_process._free.pop()
            process.kill()
            process._process.wait()

    def make_hash(self):
        return hash_process.make_hash("secret", b"some salt", PARAMETERS)

    def pid(self):
        (process,) = hash_process._free
        return process._process.pid

    def test_is_one_for_all_hashes_in_turn(self):
        made = self.make_hash()
        first = self.pid()
        assert (self.make_hash(), self.pid()) == (made, first)
        assert PasswordHasher().verify(made, "secret")

    def test_is_replaced_once_it_is_killed(self):
        made = self.make_hash()
        first = self.pid()
        os.kill(first, signal.SIGKILL)
        assert self.make_hash() == made
        assert self.pid() != first

    def test_is_replaced_by_one_that_is_not_idle_if_it_gets_no_time_and_so_is_that(self, monkeypatch):
        made = self.make_hash()
        for _ in range(2):
            first = self.pid()
            os.kill(first, signal.SIGSTOP)
            monkeypatch.setattr(hash_process._free[0], "_timeout", 0.01)
            monkeypatch.setattr(hash_process, "LAST_TIMEOUT", 30)
            assert self.make_hash() == made
            assert self.pid() != first
            assert hash_process._free[0]._timeout == 30

    def test_is_not_used_again_before_its_answer_was_read(self, monkeypatch):
        self.make_hash()
        (process,) = hash_process._free
        monkeypatch.setattr(process, "ask", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            self.make_hash()
        assert not hash_process._free
        process.kill()

    def test_outlives_what_ends_the_server_and_ends_with_its_input(self):
        self.make_hash()
        process = hash_process._free[0]._process
        for number in (signal.SIGINT, signal.SIGTERM):
            process.send_signal(number)
        self.make_hash()
        assert process.poll() is None
        process.communicate()
        assert process.returncode == 0

    def test_belongs_to_nobody_who_was_forked(self):
        self.make_hash()
        with hash_process._slots:  # of another thread
            child = os.fork()
            if not child:
                os._exit(len(hash_process._free) + (not hash_process._slots.acquire(blocking=False)))
        assert os.waitpid(child, 0)[1] == 0
        assert hash_process._free

    @pytest.mark.skipif(sys.platform != "linux", reason="Elsewhere nobody limits another process.")
    def test_is_replaced_if_it_lacks_memory_or_a_right_password_would_seem_wrong(self):
        encoded = hashers.Argon2Hasher().encode(PASSWORD, "some salt")
        size = int(Path(f"/proc/{self.pid()}/statm").read_text().split()[0]) * resource.getpagesize()
        resource.prlimit(self.pid(), resource.RLIMIT_AS, (size + 2**24, size + 2**24))
        assert hashers.Argon2Hasher().verify(PASSWORD, encoded)

    def test_says_what_argon2_refuses(self):
        with pytest.raises(HashingError):
            hash_process.make_hash("secret", b"short", PARAMETERS)

    @pytest.mark.skipif(sys.platform != "linux", reason="Elsewhere nobody is idle, and no core is left.")
    def test_is_idle_and_leaves_a_core(self):
        self.make_hash()
        assert os.sched_getscheduler(self.pid()) == os.SCHED_IDLE
        assert os.sched_getaffinity(self.pid()) < CORES or len(CORES) == 1
        self._end()
        hash_process._free.append(urgent := hash_process.HashProcess(idle=False))
        assert urgent.ask('["", "", 1, 64, 1, 32, 2, 19]') == "null\n"
        assert os.sched_getscheduler(self.pid()) == os.SCHED_OTHER
        assert os.getpriority(os.PRIO_PROCESS, self.pid()) >= hash_process.NICE
