"""What the history of an account says of copies."""

import pytest

from accounts.models import SecurityEvent
from tests.tokens.clock import copy_of, elapse
from tokens.testing import Client

EXPIRED = 16 * 60
Kind = SecurityEvent.Kind


@pytest.fixture
def stale(bob, sign_in):
    browser = Client()
    sign_in(browser, bob)
    old = copy_of(browser)
    for _ in range(2):
        elapse(EXPIRED, browser, old)
        browser.get("/")
    return browser, old


def history(browser):
    return browser.get("/accounts/activity/").content.decode()


def test_an_old_copy_that_was_tried_and_not_answered_stays_in_the_history(stale):
    browser, old = stale
    for _ in range(3):
        assert copy_of(old).get("/").status_code == 307
    assert history(browser).count("An old copy of a sign-in was tried") == 1
    assert "It did not get in." in history(browser)


def test_a_late_request_of_ones_own_leaves_nothing_in_the_history(stale):
    browser, old = stale
    browser.cookies["__Host-probe"] = old.get("/").cookies["__Host-probe"].value
    assert "Hello, bob." in browser.get("/").content.decode()
    assert "An old copy of a sign-in was tried" not in history(browser)


def test_nothing_else_can_be_withdrawn(stale):
    kept = SecurityEvent.objects.count()
    SecurityEvent.objects.all().withdraw()
    assert SecurityEvent.objects.count() == kept > 0
