"""Fast to see: light pages that nothing holds up and on which nothing jumps.

Style, scripts and pictures are compressed. Pages are not: they hold what is for one person alone beside what any link
to them can bring along, and the length of the two compressed would tell whether they are alike (BREACH).

The first page of a visit needs two round trips, one for the page and one for the style sheet; every page after that
needs one, because the sheet stays in the browser under the name that its content gives it. To write the sheet into each
page would save the second trip once and send it again with every page, through a hole in the policy.
"""

import re

import pytest

from tests.face.gallery import GALLERY
from tests.face.looks import PROBE

pytestmark = pytest.mark.once

HEAVIEST = 30_000  # bytes over the wire
LATENCY = 1.5  # seconds for each round trip: whatever else takes time is short beside it
SHEET = r"/static/css/sojourn(\.[0-9a-f]{12})?\.css"

every_page_of_ours = pytest.mark.parametrize("name", [picture.name for picture in GALLERY if not picture.of_admin])


@every_page_of_ours
def test_a_page_with_all_that_it_needs_is_light(seen, name):
    assert seen(name)["weight"] < HEAVIEST


@every_page_of_ours
def test_nothing_jumps(seen, name):
    """In the admin something may: a column is as wide as its widest row, which a slow machine learns late."""
    assert seen(name)["shifts"] == 0


@every_page_of_ours
def test_only_our_style_sheet_is_waited_for(seen, name):
    [sheet] = seen(name)["blocking"]
    assert re.fullmatch(SHEET, sheet)


def test_the_style_sheet_stays_in_the_browser(face, browser):
    page = browser.new_page()
    with page.expect_response(re.compile(SHEET)) as sheet:
        page.goto(face.url)
    assert sheet.value.header_value("Cache-Control") == "max-age=315360000, public, immutable"
    assert sheet.value.header_value("Content-Encoding") == "gzip"
    page.close()


def test_a_page_is_painted_after_one_round_trip_and_the_first_of_all_after_two(face, browser):
    page = browser.new_page()
    connection = page.context.new_cdp_session(page)
    connection.send("Network.enable")
    conditions = {"offline": False, "latency": LATENCY * 1000, "downloadThroughput": -1, "uploadThroughput": -1}
    connection.send("Network.emulateNetworkConditions", conditions)
    assert 2 <= painted(page, face.url) / LATENCY < 3
    assert 1 <= painted(page, f"{face.url}/accounts/login/") / LATENCY < 2
    page.close()


def painted(page, url):
    """Seconds until the first text or picture is seen there."""
    page.goto(url)
    return page.evaluate(f"() => {{ {PROBE}; return painted() }}") / 1000
