"""Chromium with several tabs behind a bad network. SOAK_SECONDS=300 in the environment makes it last five minutes."""

import time
from collections import Counter
from contextlib import suppress

import pytest
from playwright.sync_api import BrowserContext, Error, Page

from tests.resilience.browser import ACCESS, as_set
from tests.resilience.fate import FAIR, Fate, draw, seeded
from tests.resilience.relay import relaying
from tests.resilience.test_soak import BOUND, LIFETIME, LONGEST, LOSSES, SECONDS

pytestmark = [pytest.mark.once, pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(SECONDS + 300)]

PROFILE = "/accounts/profile/"

# What a tab does by itself: it sends requests two at a time, and counts what came of them.
TAB = """() => {
  window.seen = {requests: 0, lost: 0, out: 0, trouble: 0};
  window.longest = 0;
  const visit = async () => {
    seen.requests++;
    const left = performance.now();
    try {
      const response = await fetch(["/", "/accounts/profile/", "/accounts/sessions/"][Math.floor(Math.random() * 3)]);
      longest = Math.max(longest, performance.now() - left);
      if (response.status >= 500) seen.trouble++;
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
    random, fates, seen = seeded(3), Counter[str](), Counter[str]()

    def plan(method: str, path: str) -> Fate:
        fate = FAIR if path.startswith("/static/") else draw(random, LONGEST, LOSSES)
        fates[fate.lost or "passed"] += 1
        return fate

    with relaying(site.serve().port, plan) as url:
        contexts = [browser.new_context(base_url=url) for _ in jars]
        for context, jar in zip(contexts, jars, strict=True):
            context.add_cookies(as_set(jar))
        tabs = [open_tab(context) for context in (contexts[0], contexts[0], contexts[0], contexts[1])]
        pages = [context.new_page() for context in contexts]
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            for page in pages:
                walk(page, seen)
        for tab in tabs:
            seen.update(tab.evaluate("seen"))
        longest = max(tab.evaluate("longest") for tab in tabs) / 1000
        for context in contexts:
            context.close()

    branches = site.branches()
    figures = (
        f"Chromium, {len(tabs) + len(pages)} tabs of two people, {SECONDS:.0f} s: {dict(seen)}; the network: "
        f"{dict(fates)}; longest wait {longest:.2f} s of {BOUND:.2f}; {dict(+branches)}"
    )
    tell(figures)
    assert not seen["out"] or longest > BOUND, figures  # to whom answers take longer than that, nothing is promised
    assert not seen["trouble"], figures
    # Chromium repeats by itself what was lost on a connection that it had used before, so its tabs may lose nothing.
    assert seen["requests"] and seen["posts"] and fates["response"] and fates["request"], figures
    assert branches["child"], figures
    assert branches["confirmed_by_refresh"] + branches["confirmed_by_access"], figures


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
