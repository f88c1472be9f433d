"""Two servers on two ports, one database: what is ended at one is out at the other."""

import asyncio
import re
from time import monotonic
from urllib.parse import urlencode

import pytest

from tests.resilience.browser import Browser

pytestmark = [pytest.mark.once, pytest.mark.slow]

PATIENCE = 60  # seconds; the lag is one, and only a hang reaches this
ENDS = 10
SESSIONS = "/accounts/sessions/"


def test_an_ended_session_is_out_at_the_other_and_at_once_where_it_matters(installed, postgres_database, tell):
    site = installed(postgres_database)
    people = site.people(ENDS, each=3)
    here, there = site.serve(), site.serve()
    lags = asyncio.run(all_ends(here.port, there.port, people))
    tell(
        f"{ENDS} sessions ended at one server were out at the other after {min(lags):.2f} to {max(lags):.2f} s, "
        "at once on guarded pages"
    )


async def all_ends(here: int, there: int, people: list[list[dict]]) -> list[float]:
    return await asyncio.gather(*(end(here, there, *jars) for jars in people))


async def end(here: int, there: int, actor: dict, victim: dict, other: dict) -> float:
    """End all other sessions of a person at one server. Return how long the other server took to hear of it."""
    ending, ended, guarded = Browser(here, actor), Browser(there, victim), Browser(there, other)
    page = await ending.get(SESSIONS)
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[1]
    assert (await ended.get("/")).signed_in
    assert (await guarded.get(SESSIONS)).signed_in
    answer = await ending.request("POST", f"{SESSIONS}end-others/", urlencode({"csrfmiddlewaretoken": token}))
    assert answer.status == 302
    done = monotonic()
    assert (await guarded.get(SESSIONS)).status == 302
    await until_out(ended, done)
    for browser in (ending, ended, guarded):
        browser.close()
    return monotonic() - done


async def until_out(ended: Browser, done: float) -> None:
    """Wait until whichever process of the server answers takes the browser for a stranger, many times in a row."""
    jar, strangers = dict(ended.jar), 0
    while strangers < 20:
        assert monotonic() < done + PATIENCE, "The other server never hears of it."
        ended.jar = dict(jar)
        ended.close()  # A new connection is handed to any of the processes.
        strangers = 0 if (await ended.get("/")).signed_in else strangers + 1
        await asyncio.sleep(0.02)
