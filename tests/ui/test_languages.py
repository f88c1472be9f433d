"""Every page of the gallery in every language: each as it is when somebody comes to it."""

from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.languages.catalogue import LANGUAGES
from tests.languages.reader import english
from tests.security.wire import Socket, jar_after
from tests.ui.gallery import GALLERY, NAMED
from tests.ui.looks import SMALLEST, measured
from tests.ui.test_axe import EVERYTHING, violations

pytestmark = [pytest.mark.once, pytest.mark.slow]

FOR_PROGRAMMERS = {"styleguide"}
LAID_OUT = ("tooWide", "colliding", "torn")
SHOWN = [
    picture
    for picture in GALLERY
    if picture.act is None and not picture.of_admin and picture.name not in FOR_PROGRAMMERS
]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_english_is_left(face, language):
    way = Socket(urlsplit(face.url).port)
    for picture in SHOWN:
        cookie = "; ".join(f"{name}={value}" for name, value in face.jars.get(picture.who, {}).items()).encode()
        answer = way.get(picture.path.format(**face.context), cookie, Accept_Language=language)
        while answer.status in (302, 303):  # a link with a token leads to the page without it
            cookie = jar_after(cookie, answer)
            answer = way.get(answer.header("Location"), cookie, Accept_Language=language)
        assert answer.status == picture.status, picture.name
        assert f'<html lang="{language}"' in answer.text, picture.name
        assert english(answer.text) == [], picture.name


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pages_with_the_most_words_are_whole_on_the_smallest_phone(browser, face, language):
    """Names, headings and the marks of languages are all that a language changes, and how long words are."""
    context = browser.new_context(bypass_csp=True, locale=language, viewport=SMALLEST)
    page = context.new_page()
    for name in ("home", "sessions", "activity-older", "security-factors", "recovery-codes", "sign-up", "404-visitor"):
        face.visit(page, NAMED[name])
        assert page.get_attribute("html", "lang") == language
        assert measured(page, *LAID_OUT) == {what: [] for what in LAID_OUT}, name
        page.evaluate(Axe().axe_script)
        assert violations(page, EVERYTHING) == [], name
    context.close()
