"""Argon2, two at a time."""

import os
import sys
import threading
import time

import pytest

from accounts import hashers


class TestArgon2Hasher:
    def test_hashes_by_the_second_recommendation_of_rfc_9106(self):
        encoded = hashers.Argon2Hasher().encode("password", "saltsaltsalt")

        assert encoded.startswith("argon2$argon2id$v=19$m=65536,t=3,p=4$")

    @pytest.mark.parametrize("method", ["encode", "verify"])
    def test_a_burst_takes_two_slots_at_most(self, monkeypatch, method):
        running, most, lock = 0, 0, threading.Lock()

        def slow(*args):
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.02)
            with lock:
                running -= 1

        monkeypatch.setattr(hashers.Argon2PasswordHasher, method, slow)
        hasher = hashers.Argon2Hasher()
        threads = [threading.Thread(target=getattr(hasher, method), args=("a", "b")) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert most == 2

    def test_stands_back_for_whoever_opens_a_page(self, monkeypatch):
        def priority(*args):
            return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

        monkeypatch.setattr(hashers.Argon2PasswordHasher, "verify", priority)
        before = priority()
        meanwhile = hashers.Argon2Hasher().verify("password", "encoded")

        assert meanwhile == (max(before, hashers.NICE) if sys.platform == "linux" else before)
        assert priority() == before

    def test_a_slot_is_given_back_after_an_error(self):
        for _ in range(5):
            with pytest.raises(ValueError):
                hashers.Argon2Hasher().verify("password", "no hash")
