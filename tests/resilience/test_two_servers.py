"""Two servers on two ports, one database: a session that is ended at one is over at the other."""

import asyncio
import re
from time import monotonic
from urllib.parse import urlencode

import pytest

from tests.resilience.browser import REFRESH, Browser

pytestmark = [pytest.mark.once, pytest.mark.slow]

TIMEOUT = 60  # seconds; the lag is one, and only a hang reaches this
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


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_late_response_sets_no_cookies_of_a_session_that_was_ended_at_the_other(installed, request, tmp_path, kind):
    sqlite = f"sqlite:///{tmp_path}/db.sqlite3"
    url = sqlite if kind == "sqlite" else request.getfixturevalue("postgres_database")
    site = installed(url, FAULTS_URLS="tests.resilience.urls")
    [jar] = site.jars(1)
    assert asyncio.run(late(site, site.serve().port, site.serve().port, jar)) == ("person0", {})


async def late(site, here: int, there: int, jar: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Sign out at one server while the other refreshes. Return what its response says, and the cookies that it sets."""
    refreshing, leaving = Browser(here, {REFRESH: jar[REFRESH]}), Browser(there, jar)
    form = await leaving.get("/upload/")
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form.text)[1]
    response = asyncio.create_task(refreshing.get("/slow/?seconds=4"))
    while not site.branches()["child"]:
        await asyncio.sleep(0.05)
    signed_out = await leaving.request("POST", "/log-out/", urlencode({"csrfmiddlewaretoken": token}))
    assert signed_out.text == "bye" and not response.done()
    answer = await response
    for browser in (refreshing, leaving):
        browser.close()
    return answer.text, answer.cookies


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
    await until_over(ended, done + TIMEOUT)
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
