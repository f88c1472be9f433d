"""The switch, and pages that have room for every language and run in either direction, in a real browser."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import expect

from tests.conftest import PASSWORD
from tests.pages import MISSING, OWN, VISITORS

SHEETS = sorted(Path(settings.BASE_DIR / "static").rglob("*.css"))


@pytest.fixture
def visit(browser, live_server):
    """`visit(language, **options)`: a page of a browser that asks for that language, on a phone."""
    contexts = []

    def visit(language, **options):
        site = live_server.url.replace("127.0.0.1", "localhost")
        context = browser.new_context(base_url=site, locale=language, viewport={"width": 320, "height": 640}, **options)
        contexts.append(context)
        return context.new_page()

    yield visit
    for context in contexts:
        context.close()


def sign_in(page):
    page.goto("/accounts/login/")
    page.locator("[name=username]").fill("bob")
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("main button.primary").click()
    expect(page.locator("header button.account")).to_be_visible()


def too_wide(page):
    """What sticks out of the screen, if the page is wider."""
    return page.evaluate(
        """() => document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll("body *")]
        .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
        .map((element) => element.outerHTML.slice(0, 120))"""
    )


@pytest.mark.once
@pytest.mark.django_db(transaction=True)
def test_the_switch_works_by_keyboard_alone_without_scripts_and_stays_on_the_page(visit):
    page = visit("de", java_script_enabled=False)
    page.goto("/accounts/login/?next=/accounts/profile/")
    expect(page.locator("html")).to_have_attribute("lang", "de")
    spanish = page.get_by_role("button", name="Español")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.locator(":focus").get_attribute("value") == "es":
            break
    expect(spanish).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/accounts/login/\?next=/accounts/profile/$"))
    expect(page.locator("html")).to_have_attribute("lang", "es")
    page.goto(MISSING)
    expect(page.locator("html")).to_have_attribute("lang", "es")


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("language", ["de", "es", "ar"])  # the longest words, and the other direction
def test_every_page_fits_the_smallest_phone_in_its_direction(visit, bob, settings, language):
    settings.LANGUAGES = [*settings.LANGUAGES, ("ar", "العربيّة")]  # Django's own words are there, ours are in English
    bob.email_verified_at = timezone.now()
    bob.save()
    page = visit(language)
    for url in (*VISITORS, MISSING):
        look_at(page, url, language)
    sign_in(page)
    for url in ("/", *OWN):
        look_at(page, url, language)


def look_at(page, url, language):
    page.goto(url)
    assert page.evaluate("[document.documentElement.lang, getComputedStyle(document.body).direction]") == [
        language,
        "rtl" if language == "ar" else "ltr",
    ]
    assert too_wide(page) == [], url
    brand = page.locator(".brand").bounding_box()
    assert (brand["x"] + brand["width"] / 2 > 160) is (language == "ar"), url


@pytest.mark.once
def test_no_style_sheet_knows_left_from_right():
    """But where it says what is different from right to left."""
    for path in SHEETS:
        sheet = re.sub(r"/\*.*?\*/|\[dir=.?rtl[^}]*\}", "", path.read_text(), flags=re.S)
        assert not re.search(r"(?<![\w-])(left|right)\s*:|-(left|right)\s*:|:\s*(left|right)\s*;", sheet), path.name
