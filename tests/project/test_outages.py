"""What people get while something is away: somebody who is signed in, somebody who signs in, and a visitor.

Nothing is lost, nobody's cookies are deleted, and everything heals by itself. (Redis: tests/tokens/.)
"""

import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.cache import cache
from django.db import connection
from django.test import override_settings

from tests.conftest import PASSWORD
from tests.tokens.clock import EXPIRED, SETTLED, age, elapse, jar, left_behind
from tests.tokens.outage import gone
from tokens.models import RefreshToken
from tokens.testing import Client

pytestmark = pytest.mark.django_db(transaction=True)

LOGIN = "/accounts/login/"


@pytest.fixture
def here(bob, sign_in):
    here = Client()
    sign_in(here, bob)
    here.get("/")
    return here


@contextmanager
def switched(vendor, on, off):
    """Run one statement before the block and one after it, on this database."""
    if connection.vendor == vendor:
        connection.cursor().execute(on)
    try:
        yield
    finally:
        if connection.vendor == vendor:
            connection.cursor().execute(off)


@contextmanager
def read_only():
    """As after a failover, when the primary is not there yet."""
    name = "default_transaction_read_only"
    sqlite = switched("sqlite", "PRAGMA query_only = ON", "PRAGMA query_only = OFF")
    with sqlite, switched("postgresql", f"SET {name} = on", f"SET {name} = off"):
        yield


def is_bobs(response) -> bool:
    return b"Hello, bob." in response.content


def signs_in(client=None):
    return (client or Client()).post(LOGIN, {"username": "bob", "password": PASSWORD})


class TestDatabaseGone:
    def test_a_good_access_token_goes_on_and_a_guarded_page_is_asked_to_wait(self, here):
        with gone():
            assert is_bobs(here.get("/"))
            assert here.get("/accounts/sessions/").status_code == 503

    def test_a_refresh_is_asked_to_wait(self, here):
        elapse(EXPIRED, here)
        before = jar(here)
        with gone():
            response = here.get("/")
        assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
        assert jar(here) == before
        assert is_bobs(here.get("/"))

    def test_somebody_who_signs_in_is_asked_to_wait_and_then_signs_in(self, bob):
        client = Client()
        with gone():
            response = signs_in(client)
        assert response.status_code == 503 and not jar(client)
        assert signs_in(client).status_code == 302

    def test_a_visitor_sees_what_needs_no_database(self, db):
        pages = {"/": 200, LOGIN: 200, "/accounts/signup/": 200, "/accounts/profile/": 302, "/readyz": 503}
        with gone():
            assert {url: Client().get(url).status_code for url in pages} == pages


class TestDatabaseReadOnly:
    def test_who_is_signed_in_stays_so_with_an_access_token_or_without(self, here):
        elapse(EXPIRED, here)
        with read_only():
            for _ in range(3):
                assert is_bobs(here.get("/"))
                age(here, EXPIRED)
        assert RefreshToken.objects.get().generation == 1

    @pytest.mark.parametrize(("seconds", "given"), [(SETTLED, set()), (EXPIRED, {"__Host-access"})])
    def test_what_could_not_be_confirmed_is_confirmed_later(self, here, seconds, given):
        elapse(EXPIRED, here)
        here.get("/")
        elapse(seconds, here)
        with read_only():
            assert is_bobs(answer := here.get("/"))
        assert {"__Host-access", "__Host-refresh"} & answer.cookies.keys() == given
        assert RefreshToken.objects.get().generation == 1
        assert is_bobs(here.get("/"))
        assert RefreshToken.objects.get().generation == 2

    def test_a_sign_in_and_an_end_are_asked_to_wait(self, here, bob):
        with read_only():
            assert signs_in().status_code == 503
            assert here.post("/accounts/logout/").status_code == 503
        assert RefreshToken.objects.get().is_live and jar(here)
        assert signs_in().status_code == 302

    def test_a_copy_is_not_let_in(self, here):
        old = left_behind(here)
        with read_only():
            assert old.get("/").status_code == 503
        assert old.get("/", follow=True).status_code == 200
        assert not RefreshToken.objects.live().exists()


def test_a_refresh_that_a_slow_database_makes_too_late_is_answered_without_cookies(here):
    def slow(execute, *arguments):
        time.sleep(0.05)
        return execute(*arguments)

    elapse(EXPIRED, here)
    before = jar(here)
    with override_settings(TOKENS_CONFIRM_AFTER=0.03), connection.execute_wrapper(slow):
        assert b"Where you're signed in" in here.get("/accounts/sessions/").content
    assert jar(here) == before
    assert is_bobs(here.get("/"))
    assert jar(here) != before


def test_on_a_full_disk_who_is_signed_in_stays_so_and_nobody_gets_a_server_error(here):
    """SQLite's own. On PostgreSQL a full disk stops the server, or makes it read-only: see there."""
    elapse(EXPIRED, here)
    with switched("sqlite", "PRAGMA max_page_count = 1", "PRAGMA max_page_count = 4294967294"):  # as many as there are
        assert is_bobs(here.get("/"))
        cache.clear()  # twenty sign-ins in an hour need not wait
        assert {signs_in().status_code for _ in range(20)} <= {302, 503}
        assert is_bobs(here.get("/"))


class TestClock:
    """Stepped by an hour either way: what was made under the other clock waits for it to come back, and is kept."""

    def test_forward_and_back_tokens_from_the_future_wait_until_it_has_come(self, here):
        with stepped_by(3600):
            assert is_bobs(here.get("/"))
        response = here.get("/")
        assert response.status_code == 200 and not is_bobs(response)
        assert jar(here).keys() == {"access", "refresh"}
        with stepped_by(3600):
            assert is_bobs(here.get("/"))

    def test_back_tokens_wait_and_are_good_again_when_the_clock_is_right(self, here):
        with stepped_by(-3600):
            assert not is_bobs(here.get("/"))
            assert jar(here).keys() == {"access", "refresh"}
        assert is_bobs(here.get("/"))

    def test_back_somebody_can_sign_in_anew(self, here, bob):
        with stepped_by(-3600):
            assert signs_in(here).status_code == 302
            assert is_bobs(here.get("/"))
        assert is_bobs(here.get("/"))
        assert RefreshToken.objects.live().count() == 1


def stepped_by(seconds):
    return time_machine.travel(datetime.now(UTC) + timedelta(seconds=seconds), tick=True)
