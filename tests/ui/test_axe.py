"""axe finds nothing: WCAG 2.2 AA and its best practices, on every page in light, in dark and on a phone.

The browser that it runs in is the only one that heeds no Content-Security-Policy: axe makes functions of texts.
"""

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.chromium import closing
from tests.ui.gallery import NAMED, every_page
from tests.ui.looks import DESKTOP, PHONE

pytestmark = pytest.mark.once

EVERYTHING = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OF_COLOURS = ["color-contrast", "link-in-text-block"]  # nothing else differs in the dark


@pytest.fixture(scope="session")
def tab(browser):
    context = browser.new_context(bypass_csp=True)
    with closing(context):
        yield context.new_page()  # one for all: the second time axe is compiled already


@every_page
def test_axe_finds_nothing(tab, face, name):
    tab.emulate_media(color_scheme="light")
    tab.set_viewport_size(DESKTOP)
    face.visit(tab, NAMED[name])
    tab.evaluate(Axe().axe_script)
    tab.add_style_tag(content="* { transition: none !important }")  # colours as they come to rest
    found = {"light": violations(tab, EVERYTHING)}
    tab.emulate_media(color_scheme="dark")
    found["dark"] = violations(tab, OF_COLOURS)
    tab.emulate_media(color_scheme="light")
    tab.set_viewport_size(PHONE)
    found["on a phone"] = violations(tab, EVERYTHING)
    assert {look: complaints for look, complaints in found.items() if complaints} == {}


def violations(page, rules):
    """Each as the name of its rule, where it was found, and what axe says of it."""
    options = {"runOnly": rules, "resultTypes": ["violations"], "preload": False}
    found = page.evaluate("options => axe.run(document, options).then(results => results.violations)", options)
    return [(rule["id"], node["target"], node["failureSummary"]) for rule in found for node in rule["nodes"]]
