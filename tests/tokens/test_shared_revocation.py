"""The revocation list in a real Redis that all processes share."""

import pytest
from django.core.cache import caches
from django.db.models.functions import Now

from tests import valkey
from tests.tokens.clock import elapse
from tokens.models import RefreshToken
from tokens.revocation import PREFIX, SENTINEL, SharedRevocationList, get_revocation_list, shared_revocation_list

pytestmark = pytest.mark.urls("tests.tokens.urls")

Reason = RefreshToken.Reason
EXPIRED = 16 * 60


@pytest.fixture
def redis(settings):
    """A server of its own, and the site keeps its list there."""
    with valkey.running() as server:
        settings.CACHES = {**settings.CACHES, "shared": valkey.backend(server)}
        settings.TOKENS_REVOCATION_CACHE = "shared"
        yield server
        caches["shared"].close()


@pytest.fixture
def browser_of_bob(redis, bob, signed_in, name_on):
    browser = signed_in(bob)
    assert name_on(browser) == "bob"
    return browser


def elsewhere():
    """A process of its own ends every session, as far as the table and the cache show."""
    other = SharedRevocationList()
    other.mark(RefreshToken.objects.values_list("pk", flat=True))
    RefreshToken.objects.update(revoked_at=Now(), changed_at=Now(), reason=Reason.ENDED)


def test_the_setting_chooses_the_list(redis):
    assert get_revocation_list() is shared_revocation_list


class TestEntry:
    def test_an_end_elsewhere_counts_at_the_next_request(self, browser_of_bob, name_on):
        elsewhere()
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

    def test_an_entry_lives_one_access_lifetime_and_a_minute(self, browser_of_bob):
        RefreshToken.objects.all().bump()
        key = caches["shared"].make_key(f"{PREFIX}{RefreshToken.objects.get().pk}")
        ttl = caches["shared"]._cache.get_client(key).ttl(key)
        assert 15 * 60 < ttl <= 16 * 60


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

    def test_a_refresh_goes_on_and_sets_cookies_later(self, browser_of_bob, redis, name_on):
        elapse(EXPIRED, browser_of_bob)
        redis.stop()
        assert name_on(browser_of_bob) == "bob"

    def test_an_anonymous_visitor_and_a_sign_in_need_no_redis(self, redis, bob, client, signed_in, name_on):
        redis.stop()
        assert client.get("/who/").content == b"nobody"
        signed_in(bob)
