"""Fast to see: light pages that nothing holds up and on which nothing jumps.

Style, scripts and pictures are compressed. Pages are not: they hold what is for one person alone beside what any link
to them can bring along, and the length of the two compressed would tell whether they are alike (BREACH).

The first page of a visit needs two round trips, one for the page and one for the style sheet; every page after that
needs one, because the sheet stays in the browser under the name that its content gives it. To write the sheet into each
page would save the second trip once and send it again with every page, through a hole in the policy.
"""

import re

import pytest

from tests.face.gallery import GALLERY, NAMED
from tests.face.looks import DESKTOP, PHONE, measured

pytestmark = pytest.mark.once

HEAVIEST = 30_000  # bytes over the wire
A_WORD = 0.01  # of the window; a good page moves by up to 0.1: https://web.dev/articles/cls
TRICKLE = 100_000  # bytes in a second
LATENCY = 1.5  # seconds for each round trip: whatever else takes time is short beside it
SHEET = r"/static/css/sojourn(\.[0-9a-f]{12})?\.css"

LONG = [
    *["home", "sessions", "activity"],
    *[f"admin-{name}" for name in ("index", "app", "people", "person", "sessions", "events", "mails")],
]

every_page = pytest.mark.parametrize("name", NAMED)
every_page_of_ours = pytest.mark.parametrize("name", [picture.name for picture in GALLERY if not picture.of_admin])


@every_page_of_ours
def test_a_page_with_all_that_it_needs_is_light(seen, name):
    assert seen(name)["weight"] < HEAVIEST


@every_page
def test_nothing_jumps(seen, name):
    assert seen(name)["shifts"] == []


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_nothing_jumps_while_a_long_page_comes_in(face, browser, size):
    """Over a line so slow that the page is painted again and again before it is there: what is left is the second half
    of a word, where what was sent so far ends within one."""
    page = browser.new_page(viewport=size)
    face.visit(page, NAMED["admin-people"])  # style and scripts stay in the browser
    throttled(page, downloadThroughput=TRICKLE)
    found = {name: shifts_at(page, face, NAMED[name]) for name in LONG}
    assert {name: shifts for name, shifts in found.items() if sum(value for value, _ in shifts) > A_WORD} == {}
    page.close()


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
    throttled(page, latency=LATENCY * 1000)
    assert 2 <= painted(page, face.url) / LATENCY < 3
    assert 1 <= painted(page, f"{face.url}/accounts/login/") / LATENCY < 2
    page.close()


def throttled(page, **conditions):
    connection = page.context.new_cdp_session(page)
    connection.send("Network.enable")
    unhindered = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    connection.send("Network.emulateNetworkConditions", {**unhindered, **conditions})


def shifts_at(page, face, picture):
    face.visit(page, picture)
    return measured(page, "shifts")["shifts"]


def painted(page, url):
    """Seconds until the first text or picture is seen there."""
    page.goto(url)
    return measured(page, "painted")["painted"] / 1000
