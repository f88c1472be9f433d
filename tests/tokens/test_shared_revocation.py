"""The revocation list in a real Redis that all processes share."""

from itertools import count

import pytest
from django.core.cache import caches
from django.db.models.functions import Now

from tests import valkey
from tests.conftest import PASSWORD
from tests.tokens.clock import EXPIRED, elapse
from tokens.models import RefreshToken
from tokens.revocation import (
    PREFIX,
    RESTORING,
    SENTINEL,
    SharedRevocationList,
    get_revocation_list,
    shared_revocation_list,
)

pytestmark = pytest.mark.urls("tests.tokens.urls")

Reason = RefreshToken.Reason


@pytest.fixture
def redis(settings):
    """A server of its own, and the site keeps its list there."""
    with valkey.running() as server:
        settings.CACHES = {**settings.CACHES, "shared": valkey.backend(server)}
        settings.TOKENS_REVOCATION_CACHE = "shared"
        caches["shared"].get("readyz")  # as monitoring does, before the list is ever used
        yield server
        caches["shared"].close()


def ttl(name):
    key = caches["shared"].make_key(name)
    return caches["shared"]._cache.get_client(key).ttl(key)


@pytest.fixture
def browser_of_bob(redis, bob, signed_in, name_on):
    browser = signed_in(bob)
    assert name_on(browser) == "bob"
    return browser


def elsewhere():
    """A process of its own ends every session, as far as the table and the cache show."""
    other = SharedRevocationList()
    other.add(list(RefreshToken.objects.values_list("pk", flat=True)))
    RefreshToken.objects.update(revoked_at=Now(), changed_at=Now(), reason=Reason.ENDED)


def test_the_setting_chooses_the_list(redis):
    assert get_revocation_list() is shared_revocation_list


class TestEntry:
    def test_an_end_elsewhere_counts_at_the_next_request(self, browser_of_bob, name_on):
        elsewhere()
        assert name_on(browser_of_bob) == "nobody"

    def test_an_end_of_all_counts_at_the_next_request(self, browser_of_bob, name_on):
        RefreshToken.objects.end_all()
        assert name_on(browser_of_bob) == "nobody"

    def test_an_end_here_counts_at_the_next_request_and_until_then_none_costs_a_query(
        self, browser_of_bob, name_on, django_assert_num_queries
    ):
        with django_assert_num_queries(0):
            assert name_on(browser_of_bob) == "bob"
        RefreshToken.objects.get().revoke(Reason.ENDED)
        assert name_on(browser_of_bob) == "nobody"

    def test_a_cache_that_was_flushed_sends_to_the_row_and_is_made_again(self, browser_of_bob, name_on):
        elsewhere()
        caches["shared"].clear()
        assert name_on(browser_of_bob) == "nobody"
        keys = {SENTINEL, f"{PREFIX}{RefreshToken.objects.get().pk}"}
        assert caches["shared"].get_many(keys).keys() == keys

    @pytest.mark.parametrize("lifetime", [5 * 60, 15 * 60, 25 * 60])
    def test_an_entry_lives_a_minute_longer_than_any_servers_access_tokens(self, browser_of_bob, settings, lifetime):
        settings.TOKENS_ACCESS_LIFETIME = lifetime  # of the servers that replace those of before
        RefreshToken.objects.all().bump()
        longest = max(lifetime, 15 * 60)
        assert longest < ttl(f"{PREFIX}{RefreshToken.objects.get().pk}") <= longest + 60

    def test_the_sentinel_is_of_no_use_to_a_server_with_longer_lifetimes(self, browser_of_bob, settings, name_on):
        elsewhere()
        caches["shared"].delete(f"{PREFIX}{RefreshToken.objects.get().pk}")  # its time was over
        settings.TOKENS_ACCESS_LIFETIME = 20 * 60
        assert name_on(browser_of_bob) == "nobody"

    def test_the_sentinel_ends_before_the_entries_that_it_vouches_for(self, browser_of_bob):
        RefreshToken.objects.all().bump()
        shared_revocation_list.entry("a row", RefreshToken.objects.changed_within)
        assert 0 < ttl(SENTINEL) < ttl(f"{PREFIX}{RefreshToken.objects.get().pk}")

    def test_one_request_restores_the_list_and_the_others_ask_their_rows(self, browser_of_bob, name_on):
        elsewhere()
        caches["shared"].clear()
        caches["shared"].set(RESTORING, 1)
        assert name_on(browser_of_bob) == "nobody"
        assert SENTINEL not in caches["shared"]

    def test_a_row_that_was_found_dead_enters_itself(self, browser_of_bob, name_on):
        RefreshToken.objects.update(revoked_at=Now(), reason=Reason.ENDED)  # and no process has told of it
        assert name_on(browser_of_bob) == "bob"
        assert name_on(browser_of_bob, "/guarded/") == "nobody"
        assert name_on(browser_of_bob) == "nobody"


class TestLosses:
    """What a Redis may do with the keys of the list."""

    def test_one_started_again_from_a_snapshot_is_incomplete(self, browser_of_bob, redis, name_on):
        redis.client().save()
        elsewhere()
        redis.stop()
        redis.start()
        assert SENTINEL in caches["shared"]
        assert name_on(browser_of_bob) == "nobody"

    def test_one_that_evicts_sends_every_request_to_its_row_and_says_so(self, redis, bob, signed_in, name_on, caplog):
        redis.client().config_set("maxmemory-policy", "allkeys-lru")
        browser = signed_in(bob)
        elsewhere()
        redis.client().config_set("maxmemory", "3mb")
        others = count()
        while f"{PREFIX}{RefreshToken.objects.get().pk}" in caches["shared"]:
            caches["shared"].set(f"{next(others)}", "x" * 10_000)
        assert [name_on(browser) for _ in range(2)] == ["nobody"] * 2
        message = "The Redis of TOKENS_REVOCATION_CACHE may evict keys: every request is sent to its row."
        assert message in caplog.messages

    def test_one_that_is_full_fails_changes_and_no_page(self, browser_of_bob, redis, settings, name_on):
        settings.TOKENS_REVOCATION_GRACE = 0
        redis.client().config_set("maxmemory", 1)
        assert browser_of_bob.post("/log-out/").status_code == 503
        assert RefreshToken.objects.get().is_live
        for _ in range(2):
            assert name_on(browser_of_bob) == "bob"
            caches["shared"].delete(SENTINEL)


class TestOutage:
    def test_within_the_grace_nobody_notices_and_then_people_get_503_and_keep_their_cookies(
        self, browser_of_bob, redis, settings, name_on
    ):
        redis.stop()
        assert name_on(browser_of_bob) == "bob"
        settings.TOKENS_REVOCATION_GRACE = 0
        response = browser_of_bob.get("/who/")
        assert response.status_code == 503 and not response.cookies
        with valkey.running() as another:  # it heals by itself
            settings.CACHES = {**settings.CACHES, "shared": valkey.backend(another)}
            assert name_on(browser_of_bob) == "bob"
            caches["shared"].close()

    def test_a_process_that_never_read_answers_503(self, browser_of_bob, redis):
        redis.stop()
        shared_revocation_list.forget()
        assert browser_of_bob.get("/who/").status_code == 503

    def test_a_change_that_cannot_be_told_fails_whole(self, browser_of_bob, redis):
        redis.stop()
        assert browser_of_bob.post("/log-out/").status_code == 503
        row = RefreshToken.objects.get()
        assert row.is_live and row.changed_at is None

    @pytest.mark.django_db(transaction=True)
    def test_so_does_a_change_of_password(self, browser_of_bob, bob, redis):
        redis.stop()
        assert browser_of_bob.post("/change-password/", {"password": "another one"}).status_code == 503
        bob.refresh_from_db()
        assert bob.check_password(PASSWORD)

    def test_a_refresh_goes_on_and_sets_cookies_later(self, browser_of_bob, redis, name_on):
        elapse(EXPIRED, browser_of_bob)
        redis.stop()
        assert name_on(browser_of_bob) == "bob"

    def test_an_anonymous_visitor_and_a_sign_in_need_no_redis(self, redis, bob, client, signed_in, name_on):
        redis.stop()
        assert client.get("/who/").content == b"nobody"
        signed_in(bob)
