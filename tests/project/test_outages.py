"""What people get while something is away: somebody who is signed in, somebody who signs in, and a visitor.

Nothing is lost, nobody's cookies are deleted, and everything heals by itself. (Redis: tests/tokens/.)
"""

import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection

from tests.conftest import PASSWORD
from tests.tokens.clock import age, copy_of, elapse, jar
from tests.tokens.outage import gone
from tokens.models import RefreshToken
from tokens.testing import Client

pytestmark = pytest.mark.django_db(transaction=True)

EXPIRED = 16 * 60
SETTLED = 3 * 60
HELLO = b"Hello, bob."


@pytest.fixture
def browser(bob, sign_in):
    browser = Client()
    sign_in(browser, bob)
    browser.get("/")
    return browser


def statement(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


@contextmanager
def read_only():
    """As after a failover, when the primary is not there yet."""
    on, off = ("PRAGMA query_only = ON", "PRAGMA query_only = OFF")
    if connection.vendor == "postgresql":
        on, off = ("SET default_transaction_read_only = on", "SET default_transaction_read_only = off")
    statement(on)
    try:
        yield
    finally:
        statement(off)


@contextmanager
def slow(seconds: float):
    """Every query takes its time."""

    def wait(execute, *args):
        time.sleep(seconds)
        return execute(*args)

    with connection.execute_wrapper(wait):
        yield


def signs_in(client=None):
    return (client or Client()).post("/accounts/login/", {"username": "bob", "password": PASSWORD})


class TestDatabaseGone:
    def test_a_good_access_token_goes_on(self, browser):
        with gone():
            assert HELLO in browser.get("/").content

    def test_a_refresh_and_a_guarded_page_are_asked_to_wait(self, browser):
        with gone():
            assert browser.get("/accounts/sessions/").status_code == 503
        elapse(EXPIRED, browser)
        before = jar(browser)
        with gone():
            response = browser.get("/")
        assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
        assert jar(browser) == before
        assert HELLO in browser.get("/").content

    def test_somebody_who_signs_in_is_asked_to_wait_and_then_signs_in(self, bob):
        client = Client()
        with gone():
            response = signs_in(client)
        assert response.status_code == 503 and not jar(client)
        assert signs_in(client).status_code == 302

    def test_a_visitor_sees_what_needs_no_database(self, db):
        with gone():
            assert [Client().get(url).status_code for url in ("/", "/accounts/login/", "/accounts/signup/")] == [
                200
            ] * 3
            assert Client().get("/accounts/profile/").status_code == 302
            assert Client().get("/healthz").status_code == 200
            assert Client().get("/readyz").status_code == 503


class TestDatabaseReadOnly:
    def test_who_is_signed_in_stays_so_with_an_access_token_or_without(self, browser):
        elapse(EXPIRED, browser)
        with read_only():
            for _ in range(3):
                assert HELLO in browser.get("/").content
                age(browser, EXPIRED)
        assert RefreshToken.objects.get().generation == 1

    def test_what_could_not_be_confirmed_is_confirmed_later(self, browser):
        elapse(EXPIRED, browser)
        browser.get("/")
        elapse(SETTLED, browser)
        with read_only():
            assert HELLO in browser.get("/").content
        assert RefreshToken.objects.get().generation == 1
        assert HELLO in browser.get("/").content
        assert RefreshToken.objects.get().generation == 2

    def test_a_sign_in_and_an_end_are_asked_to_wait(self, browser, bob):
        with read_only():
            assert signs_in().status_code == 503
            assert browser.post("/accounts/logout/").status_code == 503
        assert RefreshToken.objects.get().is_live
        assert jar(browser)
        assert signs_in().status_code == 302

    def test_a_copy_is_not_let_in(self, browser):
        old = copy_of(browser)
        for _ in range(2):
            elapse(EXPIRED, browser, old)
            browser.get("/")
        with read_only():
            assert old.get("/").status_code == 503
        assert old.get("/", follow=True).status_code == 200
        assert not RefreshToken.objects.live().exists()


class TestDatabaseSlow:
    def test_a_refresh_that_takes_too_long_is_answered_without_cookies(self, browser, settings):
        settings.TOKENS_CONFIRM_AFTER = 0.3
        elapse(EXPIRED, browser)
        before = jar(browser)
        with slow(0.1):
            assert b"Where you are signed in" in browser.get("/accounts/sessions/").content
        assert jar(browser) == before
        assert HELLO in browser.get("/").content
        assert jar(browser) != before


class TestDiskFull:
    """SQLite's own disk. On PostgreSQL a full disk stops the server, or makes it read-only: see there."""

    @pytest.fixture(autouse=True)
    def _full(self, browser):
        if connection.vendor == "sqlite":
            statement("PRAGMA max_page_count = 1")  # as many as there are
        yield
        if connection.vendor == "sqlite":
            statement("PRAGMA max_page_count = 4294967294")

    def test_who_is_signed_in_stays_so(self, browser):
        elapse(EXPIRED, browser)
        assert HELLO in browser.get("/").content

    def test_nobody_gets_a_server_error(self, browser, bob):
        answers = {signs_in().status_code for _ in range(40)}
        assert answers <= {302, 503}
        assert HELLO in browser.get("/").content


class TestClock:
    """Stepped by an hour either way: what was made under the other clock waits for it to come back, and is kept."""

    def test_forward_who_is_signed_in_stays_so(self, browser):
        with stepped_by(3600):
            assert HELLO in browser.get("/").content

    def test_forward_and_back_tokens_from_the_future_wait_until_it_has_come(self, browser):
        with stepped_by(3600):
            browser.get("/")
        response = browser.get("/")
        assert response.status_code == 200 and HELLO not in response.content
        assert jar(browser).keys() == {"access", "refresh"}
        with stepped_by(3600):
            assert HELLO in browser.get("/").content

    def test_back_tokens_wait_and_are_good_again_when_the_clock_is_right(self, browser):
        with stepped_by(-3600):
            assert HELLO not in browser.get("/").content
            assert jar(browser).keys() == {"access", "refresh"}
        assert HELLO in browser.get("/").content

    def test_back_somebody_can_sign_in_anew(self, browser, bob):
        with stepped_by(-3600):
            assert signs_in(browser).status_code == 302
            assert HELLO in browser.get("/").content
        assert HELLO in browser.get("/").content
        assert RefreshToken.objects.live().count() == 1


def stepped_by(seconds):
    return time_machine.travel(datetime.now(UTC) + timedelta(seconds=seconds), tick=True)
