"""Hundreds of browsers at once on a bad network. SOAK_SECONDS=300 in the environment makes it last five minutes."""

import asyncio
import os
import time
from collections import Counter
from random import Random

import pytest

from tests.resilience.browser import ACCESS, Browser, Lost
from tests.resilience.fate import draw, seeded

SECONDS = float(os.environ.get("SOAK_SECONDS", 20))

pytestmark = [pytest.mark.once, pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(SECONDS + 300)]

BROWSERS = 60
LIFETIME = 18  # seconds; CONFIRM_AFTER is a third of it, and three round trips have to fit into that
BOUND = LIFETIME / 3 / 3
LONGEST = 0.12  # seconds that the network takes, each way
LOSSES = 0.1
BAD = ("signed out", "5xx", "deleted")


def test_nobody_is_signed_out_on_a_bad_network(installed, postgres_database, tell):
    site = installed(postgres_database, TOKENS_ACCESS_LIFETIME=str(LIFETIME))
    jars = site.jars(BROWSERS)
    server = site.serve()
    browsers = [Browser(server.port, jar) for jar in jars]
    seen = asyncio.run(everybody(browsers))
    seen["deleted"] = sum(browser.deleted for browser in browsers)
    for browser in browsers:  # to those whose answers take longer than the bound, nothing is promised
        seen["signed out" if browser.longest <= BOUND else "too slow"] += browser.out
    taken = site.branches()
    figures = told(seen, max(browser.longest for browser in browsers), taken)
    tell(figures)
    assert not any(seen[what] for what in BAD), figures
    assert seen["lost"] > seen["requests"] * LOSSES / 2, figures
    assert taken["child"] > BROWSERS, figures
    assert taken["confirmed_by_refresh"] + taken["confirmed_by_access"], figures


def told(seen: Counter[str], longest: float, taken: Counter[str]) -> str:
    return (
        f"{BROWSERS} browsers, {SECONDS:.0f} s: {seen['requests']} requests, {seen['lost']} lost, "
        f"{taken['child'] + taken['kept'] + taken['confirmed_by_refresh']} refreshes, "
        f"longest round trip {longest:.2f} s of {BOUND:.2f}, "
        f"forced sign-outs {seen['signed out']} and {seen['too slow']} beyond that, "
        f"answers of 5xx {seen['5xx']}; {dict(+taken)}"
    )


async def everybody(browsers: list[Browser]) -> Counter[str]:
    seen: Counter[str] = Counter()
    until = time.monotonic() + SECONDS
    await asyncio.gather(*(use(browser, seeded(number), until, seen) for number, browser in enumerate(browsers)))
    return seen


async def use(browser: Browser, random: Random, until: float, seen: Counter[str]) -> None:
    """Tabs that all wake up at once, and somebody who reads them for a while; whoever is signed out is gone."""
    await asyncio.sleep(random.uniform(0, 2))
    while time.monotonic() < until and not browser.out:
        if random.random() < 0.3:
            browser.jar.pop(ACCESS, None)  # as in a browser that was closed: it refreshes
        await asyncio.gather(*(page(browser, random, seen) for _ in range(random.randint(1, 3))))
        await asyncio.sleep(random.expovariate(1 / 2))
    browser.close()


async def page(browser: Browser, random: Random, seen: Counter[str]) -> None:
    """A page, and what it asks for once it is there, while answers to other tabs are still on their way."""
    await visit(browser, random, seen)
    await asyncio.gather(*(visit(browser, random, seen) for _ in range(random.randint(0, 2))))


async def visit(browser: Browser, random: Random, seen: Counter[str]) -> None:
    seen["requests"] += 1
    try:
        answer = await browser.get(random.choice(("/", "/", "/accounts/profile/")), draw(random, LONGEST, LOSSES))
    except Lost:
        seen["lost"] += 1
        return
    if answer.status >= 500:
        seen["5xx"] += 1
    elif not answer.signed_in:
        browser.out = True
