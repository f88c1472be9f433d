"""Chromium with several tabs behind a bad network. SOAK_SECONDS=300 in the environment makes it last five minutes."""

import time
from collections import Counter
from contextlib import suppress

import pytest
from playwright.sync_api import BrowserContext, Error, Page

from tests.resilience.browser import ACCESS, as_set
from tests.resilience.fate import FAIR, Fate, draw, seeded
from tests.resilience.proxy import Proxy
from tests.resilience.test_soak import BOUND, LIFETIME, LONGEST, LOSSES, SECONDS

pytestmark = [pytest.mark.once, pytest.mark.slow, pytest.mark.timeout(SECONDS + 300)]

PROFILE = "/accounts/profile/"

# A tab by itself: bursts of requests, and what came of each.
TAB = """() => {
  window.seen = {requests: 0, lost: 0, out: 0, longest: 0};
  const visit = async () => {
    seen.requests++;
    const left = performance.now();
    try {
      const response = await fetch(["/", "/accounts/profile/", "/accounts/sessions/"][Math.floor(Math.random() * 3)]);
      seen.longest = Math.max(seen.longest, performance.now() - left);
      if (response.status >= 500) seen.trouble = response.status;
      if (!(await response.text()).includes('action="/accounts/logout/"')) seen.out++;
    } catch { seen.lost++; }
  };
  const live = async () => {
    while (!seen.out) {
      await Promise.all([visit(), visit()]);
      await new Promise(done => setTimeout(done, Math.random() * 1000));
    }
  };
  live();
}"""


def test_nobody_is_signed_out_in_chromium_on_a_bad_network(installed, postgres_database, browser, tell):
    site = installed(postgres_database, TOKENS_ACCESS_LIFETIME=str(LIFETIME))
    jars = site.jars(2)
    random = seeded(3)

    def plan(method: str, path: str) -> Fate:
        return FAIR if path.startswith("/static/") else draw(random, LONGEST, LOSSES)

    with Proxy(site.serve().port, plan) as proxy:
        contexts = [browser.new_context(base_url=f"http://127.0.0.1:{proxy.port}") for _ in jars]
        for context, jar in zip(contexts, jars, strict=True):
            context.add_cookies(as_set(jar))
        tabs = [open_tab(context) for context in (contexts[0], contexts[0], contexts[0], contexts[1])]
        walkers = [context.new_page() for context in contexts]
        seen: Counter[str] = Counter()
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            for page in walkers:
                walk(page, seen)
        told = [tab.evaluate("seen") for tab in tabs]
        for context in contexts:
            context.close()

    branches = site.branches()
    signed_out = seen["out"] + sum(tab["out"] for tab in told)
    figures = (
        f"Chromium, {len(tabs) + len(walkers)} tabs of two people, {SECONDS:.0f} s: "
        f"{sum(tab['requests'] for tab in told)} requests by script, {seen['pages']} pages, {seen['posts']} posts; "
        f"the network: {dict(proxy.fates)}; longest wait {max(tab['longest'] for tab in told) / 1000:.2f} s "
        f"of {BOUND:.2f}; forced sign-outs {signed_out}; {dict(+branches)}"
    )
    tell(figures)
    longest = max(tab["longest"] for tab in told) / 1000
    assert not signed_out or longest > BOUND, figures  # to whom answers take longer than that, nothing is promised
    assert not any("trouble" in tab for tab in told), figures
    assert seen["posts"], figures
    assert branches["child"], figures
    assert branches["confirmed_by_refresh"] + branches["confirmed_by_access"], figures
    assert sum(tab["lost"] for tab in told), figures


def open_tab(context: BrowserContext) -> Page:
    page = context.new_page()
    until_there(page, "/")
    page.evaluate(TAB)
    return page


def walk(page: Page, seen: Counter[str]) -> None:
    """Somebody who opens a page, and posts a form, as far as the network lets them."""
    page.context.clear_cookies(name=ACCESS)  # as in a browser that was closed: it refreshes
    until_there(page, PROFILE)
    seen["pages"] += 1
    if page.url.endswith(PROFILE):
        try:
            page.get_by_role("main").get_by_role("button").click()
            page.wait_for_load_state()
            seen["posts"] += 1
        except Error:
            seen["lost"] += 1
    seen["out"] += "/accounts/login/" in page.url
    page.wait_for_timeout(200)


def until_there(page: Page, path: str) -> None:
    """Once more whenever it was lost on the way, as people do."""
    while True:
        with suppress(Error):
            page.goto(path)
            return
