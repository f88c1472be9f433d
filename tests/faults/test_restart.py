"""A deployment under load: SIGTERM for the old server, and the next one on the same socket."""

import asyncio
from collections import Counter
from time import monotonic

import pytest

from tests.faults.browser import ACCESS, Browser, Lost
from tests.faults.fate import seeded
from tests.faults.server import Server

pytestmark = [pytest.mark.once, pytest.mark.slow]

BROWSERS = 30
SECONDS = 6
RESTARTS = (1.0, 3.5)  # seconds after the start


def test_a_restart_loses_no_request_and_no_session(installed, postgres_database, tell):
    site = installed(postgres_database, FAULTS_URLS="tests.faults.urls", TOKENS_ACCESS_LIFETIME="9")
    jars = site.jars(BROWSERS)
    server = site.serve()
    browsers = [Browser(server.port, jar) for jar in jars]
    seen = asyncio.run(deploy(browsers, server))
    resent = sum(browser.resent for browser in browsers)
    longest = max(browser.longest for browser in browsers)
    tell(
        f"{len(RESTARTS)} restarts under load: {seen['requests']} requests, {seen['slow']} of them under way at a "
        f"restart, {seen['lost']} lost, {resent} sent once more over a new connection, longest {longest:.2f} s"
    )
    assert [master.returncode for master in server.masters[:-1]] == [0] * len(RESTARTS)
    assert seen["slow"] == len(RESTARTS)
    assert seen["requests"] > BROWSERS  # or there was no load
    assert not seen["lost"]
    assert not seen["nobody"]
    assert not any(browser.deleted for browser in browsers)


async def deploy(browsers: list[Browser], server: Server) -> Counter[str]:
    seen: Counter[str] = Counter()
    until = monotonic() + SECONDS
    visits = [use(browser, n, until, seen) for n, browser in enumerate(browsers[:-1])]
    restarts = [restart(after, server, browsers[-1], seen) for after in RESTARTS]
    await asyncio.gather(*visits, *restarts)
    for browser in browsers:
        browser.close()
    return seen


async def use(browser: Browser, number: int, until: float, seen: Counter[str]) -> None:
    random = seeded(number)
    while monotonic() < until:
        if random.random() < 0.5:
            browser.jar.pop(ACCESS, None)  # as in a browser that was closed: it refreshes
        await ask(browser, "/guarded/", seen)
        await asyncio.sleep(random.uniform(0, 0.5))


async def restart(after: float, server: Server, browser: Browser, seen: Counter[str]) -> None:
    await asyncio.sleep(after)
    browser.jar.pop(ACCESS, None)
    slow = asyncio.create_task(ask(browser, "/slow/?seconds=1", seen))
    await asyncio.sleep(0.3)
    old = server.master
    server.terminate()
    server.start()
    await slow
    seen["slow"] += 1
    await asyncio.to_thread(old.wait, 20)


async def ask(browser: Browser, path: str, seen: Counter[str]) -> None:
    seen["requests"] += 1
    try:
        answer = await browser.get(path)
    except Lost:
        seen["lost"] += 1
    else:
        seen["nobody"] += not answer.text.startswith("person")
