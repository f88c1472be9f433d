"""Parallel requests with one expired access token, through the production server."""

import asyncio
import time
from random import Random

import pytest

from tests.resilience import database
from tests.resilience.browser import Browser
from tests.resilience.fate import draw, seeded

pytestmark = [pytest.mark.once, pytest.mark.slow]

LIFETIME = 9  # seconds; what is used three seconds after it was made is confirmed, and an answer may take one
REQUESTS = 50


@pytest.fixture
def url(tmp_path) -> str:
    """SQLite's: the soak uses PostgreSQL."""
    return f"sqlite:///{tmp_path}/db.sqlite3"


@pytest.fixture
def rows(url):
    return lambda: dict.fromkeys(database.execute(url, "SELECT * FROM tokens_refreshtoken ORDER BY id"))


def test_fifty_requests_with_one_expired_token_are_all_answered_whatever_arrives_last(installed, url, rows, tell):
    site = installed(url, TOKENS_ACCESS_LIFETIME=str(LIFETIME))
    jars = site.jars(6)
    server = site.serve()
    random = seeded(1)
    browsers = [Browser(server.port, jar) for jar in jars]
    for _ in range(2):
        time.sleep(LIFETIME)  # from the last answer: whole seconds are cut off
        for browser in browsers:
            before = rows()
            answers = asyncio.run(burst(browser, random))
            assert all(answer.signed_in for answer in answers)
            assert len(before.keys() - rows().keys()) <= 1
    branches = site.branches()
    tell(f"{REQUESTS} at once, {len(jars) * 2} times: {dict(+branches)}")
    assert branches["child"] >= REQUESTS
    assert branches["confirmed_by_refresh"] == len(jars)
    assert not branches["probed"]


async def burst(browser: Browser, random: Random):
    """All leave with the same cookies; the answers arrive in some order, and the jar keeps the last."""
    answers = await asyncio.gather(*(browser.get("/", draw(random, 0.1, 0)) for _ in range(REQUESTS)))
    browser.close()
    return answers
