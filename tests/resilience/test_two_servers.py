"""Two servers on two ports, one database: a session that is ended at one is over at the other."""

import asyncio
import re
from time import monotonic
from urllib.parse import urlencode

import pytest

from tests.resilience.browser import Browser

pytestmark = [pytest.mark.once, pytest.mark.slow]

PATIENCE = 60  # seconds; the lag is one, and only a hang reaches this
PEOPLE = 10
SESSIONS = "/accounts/sessions/"


def test_an_ended_session_is_over_at_the_other_and_at_once_where_it_matters(installed, postgres_database, tell):
    site = installed(postgres_database)
    people = site.people(PEOPLE, each=3)
    here, there = site.serve().port, site.serve().port
    lags = asyncio.run(all_ends(here, there, people))
    tell(
        f"{2 * PEOPLE} sessions ended at one server: over at the other after {min(lags):.2f} to {max(lags):.2f} s, "
        "at once on guarded pages"
    )


async def all_ends(here: int, there: int, people: list[list[dict[str, str]]]) -> list[float]:
    return await asyncio.gather(*(end(here, there, *jars) for jars in people))


async def end(here: int, there: int, *jars: dict[str, str]) -> float:
    """End a person's other two sessions at one server. Return how long the other server took to hear of it."""
    ending, ended, guarded = (Browser(port, jar) for port, jar in zip((here, there, there), jars, strict=True))
    page = await ending.get(SESSIONS)
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[1]
    assert (await ended.get("/")).signed_in
    assert (await guarded.get(SESSIONS)).signed_in
    answer = await ending.request("POST", f"{SESSIONS}end-others/", urlencode({"csrfmiddlewaretoken": token}))
    assert answer.status == 302
    done = monotonic()
    assert (await guarded.get(SESSIONS)).status == 302
    await until_over(ended, done + PATIENCE)
    for browser in (ending, ended, guarded):
        browser.close()
    return monotonic() - done


async def until_over(browser: Browser, until: float) -> None:
    """Wait until whichever process of the server answers takes the browser for a stranger, many times in a row."""
    jar, strangers = dict(browser.jar), 0
    while strangers < 20:
        assert monotonic() < until, "The other server never hears of it."
        browser.jar = dict(jar)
        browser.close()  # A new connection is handed to any of the processes.
        strangers = 0 if (await browser.get("/")).signed_in else strangers + 1
        await asyncio.sleep(0.02)
