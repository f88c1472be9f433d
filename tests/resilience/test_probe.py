"""A form with a file that waited until its browser had long moved on, in Chromium."""

import hashlib
import threading

import pytest
from playwright.sync_api import expect

from tests.resilience import database
from tests.resilience.browser import ACCESS, as_set
from tests.resilience.fate import FAIR, Fate, seeded
from tests.resilience.relay import relaying

pytestmark = [pytest.mark.once, pytest.mark.slow, pytest.mark.alone]

LIFETIME = 9  # seconds; what is used three seconds after it was made is confirmed, and an answer may take one
UPLOAD = "/upload/?from=form&to=%2Felsewhere"


@pytest.fixture
def site(installed, postgres_database):
    return installed(postgres_database, FAULTS_URLS="tests.resilience.urls", TOKENS_ACCESS_LIFETIME=str(LIFETIME))


class Hold:
    """The plan of a network that holds each POST until `release` is set."""

    def __init__(self) -> None:
        self.arrived, self.release = threading.Event(), threading.Event()

    def __call__(self, method: str, path: str) -> Fate:
        if method == "POST":
            self.arrived.set()
            self.release.wait(60)
        return FAIR


@pytest.fixture
def hold():
    hold = Hold()
    yield hold
    hold.release.set()


@pytest.fixture
def address(site, hold):
    with relaying(site.serve().port, hold) as address:
        yield address


def test_a_file_that_waited_too_long_arrives_whole_and_once_and_nobody_is_signed_out(
    site, hold, address, postgres_database, browser, tell
):
    [jar] = site.jars(1)
    file = seeded(7).randbytes(3_000_000)
    context = browser.new_context(base_url=address)
    context.add_cookies(as_set(jar))
    form, other = context.new_page(), context.new_page()
    posts = []
    form.on("response", lambda answer: answer.request.method == "POST" and posts.append((answer.url, answer.status)))
    form.goto(UPLOAD)
    form.locator("[name=text]").fill("Zoë & Co")
    form.locator("[name=file]").set_input_files({"name": "f.bin", "mimeType": "image/png", "buffer": file})
    context.clear_cookies(name=ACCESS)  # as if it had expired
    form.get_by_role("button", name="Send").click(no_wait_after=True)
    assert hold.arrived.wait(60)
    for pause in (0, LIFETIME * 1000 / 3 + 100):
        other.wait_for_timeout(pause)
        other.goto("/who/")  # the first gets a child, the second confirms it
        expect(other.locator("body")).to_have_text("person0")
    hold.release.set()
    expect(form.locator("body")).to_have_text(f"person0 Zoë & Co {hashlib.sha256(file).hexdigest()}")
    assert posts == [(address + UPLOAD, 307), (address + UPLOAD, 200)]
    other.goto("/guarded/")
    expect(other.locator("body")).to_have_text("person0")
    context.close()

    assert site.log.read_text().count("An upload was processed.") == 1
    branches = site.branches()
    tell(f"a form of 3 MB, a probe, in Chromium: {posts}; {dict(+branches)}")
    assert (branches["probed"], branches["answered"], branches["reused"]) == (1, 1, 0)
    [(events,)] = database.execute(postgres_database, "SELECT string_agg(kind, ',') FROM accounts_securityevent")
    assert events == "signed_in"
    assert database.execute(postgres_database, "SELECT revoked_at FROM tokens_refreshtoken") == [(None,)]
