"""Which browser a session was opened with."""

import pytest
from django.db import connection

from tokens.client import BROWSERS, OTHER, browser_of
from tokens.models import RefreshToken

CALLS_ITSELF = {
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0": "firefox",
    "Mozilla/5.0 (iPhone; CPU OS 17_5) AppleWebKit/605.1.15 FxiOS/128.0 Mobile/15E148 Safari/605.1.15": "firefox",
    "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36": "chrome",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5) AppleWebKit/605.1.15 CriOS/131.0 Mobile/15E148 Safari/604.1": "chrome",
    "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36 Edg/131.0": "edge",
    "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36 OPR/116.0": "opera",
    "Mozilla/5.0 (Linux; Android) AppleWebKit/537.36 SamsungBrowser/27.0 Chrome/125.0 Mobile Safari/537.36": "samsung",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17.5 Safari/605.1.15": "safari",
    "curl/8.5.0": OTHER,
    "": OTHER,
}

pytestmark = pytest.mark.django_db


def test_is_the_first_name_that_fits():
    assert {user_agent: browser_of(user_agent) for user_agent in CALLS_ITSELF} == CALLS_ITSELF
    assert set(CALLS_ITSELF.values()) == {*BROWSERS, OTHER}


def test_is_filled_in_at_sign_in(bob):
    user_agent = next(iter(CALLS_ITSELF))
    assert RefreshToken.objects.start(bob, user_agent=user_agent).browser == "firefox"


def test_is_found_by_its_index():
    """Or a list of a million would be read from end to end."""
    rows = RefreshToken.objects.filter(browser="opera").order_by("-created_at")
    with connection.cursor() as cursor:
        indexes = connection.introspection.get_constraints(cursor, "tokens_refreshtoken")
        assert indexes["tokens_browser_created_at"]["index"]
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            assert "tokens_browser_created_at" in rows[:100].explain()
