"""A real Chromium binds its session to a key, over TLS, and proves that it has it."""

import ssl
from base64 import b64encode
from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.servers.basehttp import ThreadedWSGIServer
from django.test.testcases import LiveServerThread
from playwright.sync_api import expect

from tests import chromium
from tests.conftest import PASSWORD
from tests.ops.certificate import self_signed
from tokens.models import RefreshToken

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.tokens.bound_urls")]

FEATURES = "DeviceBoundSessions:RefreshQuota/false,EnableBoundSessionCredentialsSoftwareKeysForManualTesting"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return self_signed(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def asked():
    """What the endpoints answered, in turn."""
    return []


@pytest.fixture
def site(certificate, settings, asked):
    """The URL of the site over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "fullchain.pem", certificate / "privkey.pem")

    class Server(ThreadedWSGIServer):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            # The handshake is the thread's that answers.
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
            self.base_environ["HTTPS"] = "on"

    class Handler(StaticFilesHandler):
        def __call__(self, environ, start_response):
            def start(status, *rest):
                if environ["PATH_INFO"].startswith("/device-binding/"):
                    asked.append((environ["PATH_INFO"].rpartition("/")[2], int(status[:3])))
                return start_response(status, *rest)

            return super().__call__(environ, start)

    class Thread(LiveServerThread):
        server_class = Server

    settings.TOKENS_BOUND_LIFETIME = 600
    thread = Thread("localhost", Handler)
    thread.daemon = True
    thread.start()
    assert thread.is_ready.wait(30) and thread.error is None
    yield f"https://localhost:{thread.port}"
    thread.terminate()


@pytest.fixture
def page(site, browser, browser_type, certificate, tmp_path):
    """A page of a browser with a profile of its own, whose keys are software's."""
    public = x509.load_pem_x509_certificate((certificate / "fullchain.pem").read_bytes()).public_key()
    spki = b64encode(sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()).decode()
    context = browser_type.launch_persistent_context(
        str(tmp_path / "profile"),
        executable_path=chromium.executable(browser_type),
        base_url=site,
        args=[f"--enable-features={FEATURES}", f"--ignore-certificate-errors-spki-list={spki}"],
    )
    with chromium.closing(context):
        yield context.pages[0]


@pytest.fixture
def greeting(page, bob):
    """What Bob sees, whose browser has signed in and bound its session."""
    page.goto("/accounts/login/")
    page.get_by_label("User name or email").fill("bob")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    while not any(cookie["name"] == "__Host-bound" for cookie in page.context.cookies()):
        page.wait_for_timeout(50)
    return page.get_by_role("heading", name="Hello, bob.")


def expire(page):
    """Access token and mark are over."""
    for kind in ("access", "bound"):
        page.context.clear_cookies(name=f"__Host-{kind}")


def test_it_registers_at_the_sign_in_and_refreshes_when_the_mark_is_gone(page, greeting, asked):
    assert asked == [("register", 200)]
    for count in (1, 2):
        expire(page)
        page.goto("/")
        expect(greeting).to_be_visible()
        assert asked[1:] == [("refresh", 200)] * count
    row = RefreshToken.objects.get()
    assert row.bound_proved_at > row.bound_at


def test_another_browser_with_its_jar_is_sent_to_the_sign_in_page(page, greeting, asked, browser, site):
    expire(page)
    jar = page.context.cookies()
    thief = browser.new_context(base_url=site, ignore_https_errors=True)
    with chromium.closing(thief):
        thief.add_cookies(jar)
        copy = thief.new_page()
        copy.goto("/accounts/profile/")
        expect(copy.get_by_label("Password", exact=True)).to_be_visible()
    page.goto("/")
    expect(greeting).to_be_visible()
    assert RefreshToken.objects.live().get().probed_jti is None
