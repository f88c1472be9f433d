"""Every page of the gallery: readable at any size, usable by any finger and by keyboard, whole in any colours, light.

Style, scripts and pictures are compressed. Pages are not: they hold what is for one person alone beside what any link
to them can bring along, and the length of the two compressed would tell whether they are alike (BREACH).
"""

import re
from struct import unpack
from urllib.parse import urlsplit

import pytest

from tests.ui.gallery import GALLERY, NAMED, every_page
from tests.ui.looks import DESKTOP, PHONE, measured
from tests.ui.screenshots import take

pytestmark = pytest.mark.once

HEAVIEST = 30_000  # bytes over the wire
A_WORD = 0.01  # of the window; a good page moves by up to 0.1: https://web.dev/articles/cls
TRICKLE = 100_000  # bytes in a second
SHEET = r"/static/css/sojourn(\.[0-9a-f]{12})?\.css"
LONG = ["home", "sessions", "activity", *(f"admin-{name}" for name in ("index", "people", "person", "events"))]

TYPED = ("text", "email", "password")
PLAIN = {"autocapitalize": "none", "spellcheck": "false"}

# What a field is for, and all that has to be said of it then.
KNOWN = {
    "username": PLAIN,
    "email": {**PLAIN, "type": "email"},
    "one-time-code": PLAIN,
    "current-password": {"type": "password"},
    "new-password": {"type": "password"},
    "given-name": {"autocapitalize": "words", "spellcheck": "false"},
    "family-name": {"autocapitalize": "words", "spellcheck": "false"},
    "off": {},
}
PURPOSES = {
    "sign-in": ["username", "current-password"],
    "sign-up": ["username", "email", "new-password", "new-password"],
    "reset": ["email"],
    "reset-confirm": ["username", "new-password", "new-password"],
    "password-change": ["username", "current-password", "new-password", "new-password"],
    "proof": ["username", "current-password"],
    "email-asked": ["one-time-code"],
    "signed-up": ["one-time-code", "email"],
    "email": ["email"],
    "user-name": ["username"],
    "profile": ["given-name", "family-name"],
    "session-name": ["off"],
}
# Where the keyboard is when a form comes back: in the first field that is wrong, or at what is wrong with the whole.
REFUSED = {
    "sign-in-errors": "notice error",
    "sign-in-throttled": "notice error",
    "sign-up-errors": "username",
    "reset-errors": "email",
    "reset-confirm-errors": "new_password2",
    "password-change-errors": "new_password2",
    "email-errors": "email",
    "email-code-errors": "code",
    "user-name-errors": "username",
    "proof-errors": "proof-password",
    "second-factor-errors": "code",
    "authenticator-errors": "code",
}


@every_page
def test_a_page_keeps_every_promise(seen, face, name):
    """Whatever look.js complains of, and what the browser itself does: the names are the functions there."""
    look, picture = seen(name), NAMED[name]
    found = {what: complaints for what, complaints in look.complaints.items() if complaints}
    assert (look.status, look.hosts, found) == (picture.status, {urlsplit(face.url).netloc}, {})
    if not picture.of_admin:
        assert look["weight"] < HEAVIEST
        sheet, *others = look["blocking"]
        assert re.fullmatch(SHEET, sheet)
        # Or times would move when they become the reader's, and what is below a button for passkeys when that is shown.
        others = [path for path in others if not re.search(r"/(times|passkeys)\.", path)]
        assert not others or name == "styleguide"  # which is for the tests, and brings what it shows itself with
        check_fields(look["fields"])
    if name in PURPOSES:
        assert [field["autocomplete"] for field in typed(look)] == PURPOSES[name]
    if name in REFUSED:
        assert look["focused"] == REFUSED[name]


def check_fields(fields):
    """Password managers, autofill and the keyboards of phones are told what they need."""
    assert len([field for field in fields if "autofocus" in field]) <= 1
    for field in fields:
        if field.get("type", "text") in TYPED and "hidden" not in field:  # those are for password managers alone
            assert KNOWN[field["autocomplete"]].items() <= field.items(), field["name"]
            assert field["enterkeyhint"] in (("go", "done") if field["last"] else ("next",)), field["name"]


def typed(look):
    return [field for field in look["fields"] if field.get("type", "text") in TYPED]


@pytest.mark.parametrize(
    ("name", "keyboard"),
    [("sign-in", "email"), ("email-asked", "numeric"), ("authenticator", "numeric"), ("second-factor", "text")],
)
def test_what_has_to_be_typed_is_at_hand(seen, name, keyboard):
    """An email for a user name, digits, or a recovery code, which has letters."""
    assert typed(seen(name))[0]["inputmode"] == keyboard


def test_every_form_that_can_be_refused_is_tried():
    refused = {picture.name for picture in GALLERY if picture.name.endswith("-errors") and not picture.of_admin}
    assert refused <= REFUSED.keys()


@pytest.mark.slow
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_nothing_jumps_while_a_long_page_comes_in(face, browser, size):
    """Over a line so slow that the page is painted again and again before it is there: what is left is the second half
    of a word, where what was sent so far ends within one."""
    page = browser.new_page(viewport=size, timezone_id="Asia/Tokyo")
    face.visit(page, NAMED["admin-people"])  # style and scripts stay in the browser
    connection = page.context.new_cdp_session(page)
    connection.send("Network.enable")
    limits = {"offline": False, "latency": 0, "downloadThroughput": TRICKLE, "uploadThroughput": -1}
    connection.send("Network.emulateNetworkConditions", limits)
    jumps = {}
    for name in LONG:
        face.visit(page, NAMED[name])
        shifts = measured(page, "shifts")["shifts"]
        if sum(value for value, _ in shifts) > A_WORD:
            jumps[name] = shifts
    page.close()
    assert jumps == {}


def test_the_style_sheet_stays_in_the_browser(face, browser):
    page = browser.new_page()
    with page.expect_response(re.compile(SHEET)) as sheet:
        page.goto(face.url)
    assert sheet.value.header_value("Cache-Control") == "max-age=315360000, public, immutable"
    assert sheet.value.header_value("Content-Encoding") == "gzip"
    page.close()


@pytest.mark.slow
def test_a_page_gives_a_picture_in_each_look_and_the_same_again(face, browser, tmp_path):
    for folder in ("one", "other"):
        take(browser, face, [NAMED["sessions-one"]], tmp_path / folder)
    pictures = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    widths = {name: unpack(">I", picture[16:20])[0] for name, picture in pictures.items()}
    assert widths == {
        f"sessions-one-{look}.png": width for look, width in (("light", 1000), ("dark", 1000), ("phone", 780))
    }
    assert pictures["sessions-one-light.png"] != pictures["sessions-one-dark.png"]
    assert pictures == {path.name: path.read_bytes() for path in (tmp_path / "other").iterdir()}


class TestChangePasswordUrl:
    """https://w3c.github.io/webappsec-change-password-url/"""

    def test_leads_everybody_to_the_page_and_knows_nobody(self, client, sign_in, bob, django_assert_num_queries):
        sign_in(client, bob)
        del client.cookies["__Host-access"]  # any page that looks would refresh it
        with django_assert_num_queries(0):
            answer = client.get("/.well-known/change-password")
        assert (answer.status_code, answer.headers["Location"]) == (302, "/accounts/password/change/")
        assert not answer.cookies

    def test_what_cannot_be_there_is_not_found(self, client, db):
        """Browsers ask for it, to tell this address from a site that answers everything with a page."""
        url = "/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200"
        assert client.get(url).status_code == 404
