"""Parallel requests with one refresh token, through the production server."""

import asyncio
import time
from random import Random

import pytest

from tests.resilience import database
from tests.resilience.browser import ACCESS, Answer, Browser
from tests.resilience.fate import draw, seeded

pytestmark = [pytest.mark.once, pytest.mark.slow]

LIFETIME = 9  # seconds; what is used three seconds after it was made is confirmed
PEOPLE = 6
REQUESTS = 50


def test_fifty_requests_with_one_token_are_all_answered_whatever_arrives_last(installed, tmp_path, tell):
    url = f"sqlite:///{tmp_path}/db.sqlite3"  # the soak uses PostgreSQL
    site = installed(url, TOKENS_ACCESS_LIFETIME=str(LIFETIME))
    jars = site.jars(PEOPLE)
    port = site.serve().port
    browsers = [Browser(port, jar) for jar in jars]
    random = seeded(1)

    def rows() -> set[tuple[object, ...]]:
        return set(database.execute(url, "SELECT * FROM tokens_refreshtoken"))

    for pause in (0, LIFETIME / 3):
        time.sleep(pause)
        for browser in browsers:
            browser.jar.pop(ACCESS)  # as in a browser that was closed: it refreshes
            before = rows()
            answers = asyncio.run(burst(browser, random))
            assert all(answer.signed_in for answer in answers)
            assert len(before - rows()) <= 1
    branches = site.branches()
    tell(f"{REQUESTS} at once, {PEOPLE * 2} times: {dict(+branches)}")
    assert branches["child"] >= REQUESTS
    assert branches["confirmed_by_refresh"] == PEOPLE
    assert not branches["probed"]


async def burst(browser: Browser, random: Random) -> list[Answer]:
    """All leave with the same cookies; the answers arrive in some order, and the jar keeps the last."""
    answers = await asyncio.gather(*(browser.get("/", draw(random, 0.1, 0)) for _ in range(REQUESTS)))
    browser.close()
    return answers
