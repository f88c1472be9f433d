"""Two servers on two ports, one database: what is ended at one is out at the other."""

import asyncio
import re
from time import monotonic
from urllib.parse import urlencode

import pytest

from tests.faults.browser import Browser

pytestmark = pytest.mark.once

LAG = 1  # second, the default of TOKENS_REVOCATION_LAG
SLACK = 0.3  # for the reading itself, on a busy machine
ENDS = 40
SESSIONS = "/accounts/sessions/"


def test_an_ended_session_is_out_at_the_other_within_the_lag_and_at_once_where_it_matters(
    installed, postgres_database, tell
):
    site = installed(postgres_database)
    people = site.people(ENDS, each=3)
    here, there = site.serve(), site.serve()
    lags = asyncio.run(all_ends(here.port, there.port, people))
    tell(
        f"{ENDS} sessions ended at one server were out at the other after {min(lags):.2f} to {max(lags):.2f} s "
        f"(lag {LAG} s), at once on guarded pages"
    )
    assert max(lags) <= LAG + SLACK
    assert max(lags) > LAG / 4  # or it was not the list that was measured


async def all_ends(here: int, there: int, people: list[list[dict]]) -> list[float]:
    return await asyncio.gather(*(end_after(n * 0.08, here, there, *jars) for n, jars in enumerate(people)))


async def end_after(delay: float, here: int, there: int, actor: dict, victim: dict, other: dict) -> float:
    """Ends all other sessions of a person from the page at one server; looks at the other server what they can do."""
    await asyncio.sleep(delay)
    ending, ended, guarded = Browser(here, actor), Browser(there, victim), Browser(there, other)
    page = await ending.get(SESSIONS)
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[1]
    assert (await ended.get("/")).signed_in
    assert (await guarded.get(SESSIONS)).signed_in
    answer = await ending.request("POST", f"{SESSIONS}end-others/", urlencode({"csrfmiddlewaretoken": token}))
    assert answer.status == 302
    done = monotonic()
    assert (await guarded.get(SESSIONS)).status == 302
    lag = await last_seen(ended, done)
    for browser in (ending, ended, guarded):
        browser.close()
    return lag


async def last_seen(ended: Browser, done: float) -> float:
    """How long after `done` the latest request left that was still answered as to somebody. Each goes over a new
    connection, and so to whichever process of the server."""
    latest = 0.0
    jar = dict(ended.jar)
    while (left := monotonic() - done) < LAG + 2 * SLACK:
        ended.jar = dict(jar)
        ended.close()
        if (await ended.get("/")).signed_in:
            latest = left
        await asyncio.sleep(0.04)
    return latest
