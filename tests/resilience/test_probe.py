"""A form with a file that waited until its browser had long moved on, in Chromium."""

import hashlib
import socket
import socketserver
import threading
from contextlib import suppress

import pytest
from playwright.sync_api import expect

from tests.resilience import database
from tests.resilience.browser import as_set
from tests.resilience.fate import seeded

pytestmark = [pytest.mark.once, pytest.mark.slow]

LIFETIME = 9  # seconds; what is used three seconds after it was made is confirmed, and an answer may take one
UPLOAD = "/upload/?from=form&to=%2Felsewhere"


class Relay(socketserver.ThreadingTCPServer):
    """Hands on octets to `upstream`, but holds a POST until `release` is set. A request begins where a chunk does."""

    daemon_threads = True

    def __init__(self, upstream: int) -> None:
        super().__init__(("127.0.0.1", 0), None)
        self.upstream, self.arrived, self.release = upstream, threading.Event(), threading.Event()

    def finish_request(self, browser: socket.socket, address: object) -> None:
        with socket.create_connection(("127.0.0.1", self.upstream)) as site, suppress(OSError):
            threading.Thread(target=self.answer, args=(site, browser), daemon=True).start()
            while octets := browser.recv(1 << 16):
                if octets.startswith(b"POST "):
                    self.arrived.set()
                    self.release.wait(60)
                site.sendall(octets)

    def answer(self, site: socket.socket, browser: socket.socket) -> None:
        with suppress(OSError):
            while octets := site.recv(1 << 16):
                browser.sendall(octets)
            browser.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def site(installed, postgres_database):
    return installed(postgres_database, FAULTS_URLS="tests.resilience.urls", TOKENS_ACCESS_LIFETIME=str(LIFETIME))


@pytest.fixture
def relay(site):
    with Relay(site.serve().port) as relay:
        threading.Thread(target=relay.serve_forever, args=(0.05,), daemon=True).start()
        yield relay
        relay.release.set()
        relay.shutdown()


def test_a_file_that_waited_too_long_arrives_whole_and_once_and_nobody_is_signed_out(
    site, relay, postgres_database, browser, tell
):
    [jar] = site.jars(1)
    file = seeded(7).randbytes(3_000_000)
    address = f"http://127.0.0.1:{relay.server_address[1]}"
    context = browser.new_context(base_url=address)
    context.add_cookies(as_set(jar))
    form, other = context.new_page(), context.new_page()
    posts = []
    form.on("response", lambda answer: answer.request.method == "POST" and posts.append((answer.url, answer.status)))
    form.goto(UPLOAD)
    form.wait_for_timeout(LIFETIME * 1000)
    form.locator("[name=text]").fill("Zoë & Co")
    form.locator("[name=file]").set_input_files({"name": "f.bin", "mimeType": "image/png", "buffer": file})
    form.get_by_role("button", name="Send").click(no_wait_after=True)
    assert relay.arrived.wait(60)
    for _ in range(2):
        other.goto("/who/")  # the first gets a child, the second confirms it
        expect(other.locator("body")).to_have_text("person0")
        other.wait_for_timeout(LIFETIME * 1000 / 3 + 100)
    relay.release.set()
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
