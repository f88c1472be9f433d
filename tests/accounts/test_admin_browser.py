"""The admin in a real browser wears the dress of the site. That axe finds nothing there: tests/face."""

import pytest
from django.urls import reverse

from tests.conftest import PASSWORD
from tokens.models import RefreshToken
from tokens.testing import Client

pytestmark = pytest.mark.django_db(transaction=True)

COLOURS = """() => {
  const style = (of) => getComputedStyle(document.querySelector(of));
  return [style("body").backgroundColor, style("body").color, style("main a").color];
}"""


@pytest.fixture
def enter(browser, live_server, alice):
    """`enter(**how)`: a page of a browser in which Alice is signed in."""
    contexts = []

    def enter(**how):
        context = browser.new_context(base_url=live_server.url, **how)
        contexts.append(context)
        page = context.new_page()
        page.goto(reverse("login"))
        page.fill("[name=username]", "alice")
        page.fill("[name=password]", PASSWORD)
        page.press("[name=password]", "Enter")
        page.wait_for_url(live_server.url + reverse("home"))
        return page

    yield enter
    for context in contexts:
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_wears_the_colours_of_the_site(enter, scheme):
    page = enter(color_scheme=scheme)
    seen = {}
    for url in (reverse("profile"), reverse("admin:index")):
        page.goto(url)
        seen[url] = page.evaluate(COLOURS)

    assert seen[reverse("profile")] == seen[reverse("admin:index")]


def test_the_switch_in_its_header_changes_all_of_it(enter):
    page = enter(color_scheme="light", reduced_motion="reduce")
    page.goto(reverse("admin:index"))
    light = page.evaluate(COLOURS)

    page.locator(".theme-toggle").click()

    dark = page.evaluate(COLOURS)
    assert all(before != after for before, after in zip(light, dark, strict=True))
    page.emulate_media(color_scheme="dark")
    page.goto(reverse("profile"))
    assert page.evaluate(COLOURS) == dark


def test_the_button_of_a_session_ends_it(enter, bob, sign_in):
    sign_in(Client(), bob)
    row = RefreshToken.objects.get(user=bob)
    page = enter()

    page.goto(reverse("admin:tokens_refreshtoken_change", args=[row.pk]))
    page.get_by_role("button", name="End this session").click()

    page.get_by_text("1 session was ended.").wait_for()
    row.refresh_from_db()
    assert row.reason == RefreshToken.Reason.ADMIN
