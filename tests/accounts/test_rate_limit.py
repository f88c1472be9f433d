"""How many pass, and when the next one may; and what `check --deploy` says of the cache that counts them."""

import pytest
import time_machine
from django.core.cache import cache
from django.core.cache.backends.dummy import DummyCache
from django.core.checks import run_checks
from django.utils import timezone

from accounts.security import rate_limit
from accounts.security.rate_limit import Bucket, Rate
from tests.smtp import smtp_mailer
from tests.tokens.racing import together

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("clock")]

RATE = Rate(free=3, first=10, longest=60, window=600)
BUCKET, OTHER = Bucket("bucket", RATE), Bucket("other", Rate(free=2, first=5, longest=60, window=600))


def later(seconds):
    return time_machine.travel(timezone.now() + timezone.timedelta(seconds=seconds), tick=False)


def knock(times, *at):
    """What each of so many attempts has to wait."""
    return [rate_limit.acquire(at or [BUCKET]) for _ in range(times)]


def crowd(number, *at):
    """The same, all at the same moment."""
    return together([lambda: rate_limit.acquire(at)] * number)


# The clock stands still, and a pause of ten seconds is told as eleven: in whole seconds, and never too short.


class TestPause:
    def test_the_last_free_one_shuts_it_and_each_after_that_for_twice_as_long_up_to_the_longest(self):
        assert [RATE.pause(passed) for passed in (0, 1, 2, 3, 4, 5, 6, 100_000)] == [10, 10, 10, 20, 40, 60, 60, 60]


class TestEnter:
    def test_the_free_ones_pass_and_the_next_is_told_when(self):
        assert knock(5) == [0, 0, 0, 11, 11]

    def test_one_passes_after_the_pause_and_the_next_waits_twice_as_long(self):
        knock(50)  # at a bucket that is full nothing is counted
        with later(10):
            assert knock(2) == [0, 21]
        with later(10 + 15):
            assert rate_limit.acquire([BUCKET]) == 6
        with later(10 + 20):
            assert knock(2) == [0, 41]

    def test_it_begins_anew_when_the_window_is_over(self):
        knock(3)
        with later(600):
            assert knock(4) == [0, 0, 0, 11]

    def test_all_gates_are_passed_or_none(self):
        knock(2, OTHER)
        assert knock(5, BUCKET, OTHER) == [6] * 5
        assert knock(4) == [0, 0, 0, 11]

    def test_the_longest_of_several_pauses_is_told(self):
        knock(2, OTHER)
        knock(3)
        assert knock(1, OTHER, BUCKET) == [11]

    def test_a_clock_that_is_wrong_elsewhere_tells_no_pause_that_cannot_be(self):
        knock(3)
        cache.set(BUCKET.blocked_key, 9e12, 10)
        assert knock(1) == [60]
        cache.set(BUCKET.blocked_key, 0.0, 10)
        assert knock(1) == [1]


class TestAfterwards:
    def test_reopened_it_has_forgotten_everybody(self):
        knock(3)
        rate_limit.reset([BUCKET])
        assert knock(4) == [0, 0, 0, 11]

    def test_what_is_given_back_counts_no_longer(self):
        for _ in range(20):
            assert rate_limit.acquire([BUCKET]) == 0
            rate_limit.release([BUCKET])

    def test_a_shut_gate_stays_shut_for_its_pause_and_no_gate_at_all_is_fine(self):
        knock(3)
        rate_limit.release([BUCKET])
        rate_limit.reset([])
        assert rate_limit.acquire([BUCKET]) == 11


class TestTogether:
    """Of any number at the same moment exactly the free ones pass."""

    def test_threads(self):
        assert crowd(30, BUCKET).count(0) == 3

    def test_threads_at_two_gates_leave_no_trace_at_the_one_they_passed(self, redis):
        assert crowd(30, BUCKET, OTHER).count(0) == 2
        assert cache.get(BUCKET.count_key) == cache.get(OTHER.count_key) == 2

    def test_one_passes_when_a_pause_is_over_and_its_pause_is_no_longer_for_the_crowd(self, redis):
        knock(3)
        cache.delete(BUCKET.blocked_key)
        waits = crowd(30, BUCKET)
        assert waits.count(0) == 1
        assert 10 < max(waits) <= 21


class TestOnRedis:
    def test_every_key_has_an_end(self, redis):
        knock(4)
        client = cache._cache.get_client()
        ends = {key.decode().rpartition(":")[2]: client.ttl(key) for key in client.scan_iter()}
        assert -1 not in ends.values()  # which Redis says of a key without an end
        assert ends["count"] <= 600
        assert ends["blocked"] <= 10

    def test_so_has_one_that_ended_between_two_steps(self, redis):
        cache.set(BUCKET.count_key, 0, None)
        knock(1)
        assert cache._cache.get_client().ttl(cache.make_key(BUCKET.count_key)) not in (-1, -2)  # no end, no key


class TestOutage:
    def test_this_process_counts_for_itself_while_the_cache_is_away(self, redis, caplog):
        redis.stop()
        assert knock(4) == [0, 0, 0, 11]
        assert [record.message for record in caplog.records] == [
            "The cache is unavailable: for now this process counts attempts on its own."
        ]

    def test_a_success_is_forgiven_all_the_same(self, redis):
        redis.stop()
        for _ in range(4):
            assert rate_limit.acquire([BUCKET, OTHER]) == 0
            rate_limit.reset([BUCKET])
            rate_limit.release([OTHER])

    def test_the_cache_is_used_again_when_it_is_back_and_left_alone_until_then(self, redis, monkeypatch):
        redis.stop()
        knock(1)
        redis.start()
        knock(1)
        assert cache.get(BUCKET.count_key) is None
        monkeypatch.setattr(rate_limit, "RETRY_CACHE_AFTER", 0)
        rate_limit.reset_all()
        redis.stop()
        knock(1)
        redis.start()
        knock(1)
        assert cache.get(BUCKET.count_key) == 1

    def test_a_cache_that_keeps_nothing_protects_nobody_less(self, monkeypatch):
        monkeypatch.setattr(rate_limit, "cache", DummyCache("", {}))
        assert knock(4) == [0, 0, 0, 11]


def found(settings, backend, deploy=True):
    for name, value in smtp_mailer(host="localhost").items():
        setattr(settings, name, value)
    settings.CACHES = {"default": {"BACKEND": f"django.core.cache.backends.{backend}", "LOCATION": "anywhere"}}
    return [
        message.id
        for message in run_checks(include_deployment_checks=deploy, databases=[])
        if message.id.startswith("accounts")
    ]


@pytest.mark.parametrize("backend", ["locmem.LocMemCache", "dummy.DummyCache", "db.DatabaseCache"])
def test_w001_a_cache_in_which_processes_do_not_count_together(settings, backend):
    assert found(settings, backend) == ["accounts.W001"]
    assert found(settings, backend, deploy=False) == []
    assert found(settings, "redis.RedisCache") == []
