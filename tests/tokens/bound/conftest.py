"""The site over TLS, and Chromium with keys in software, to see how it binds its sessions."""

import ssl
from base64 import b64encode
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from threading import Event
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.servers.basehttp import ThreadedWSGIServer
from django.test.testcases import LiveServerThread

from tests import chromium
from tests.conftest import PASSWORD
from tests.ops.certificate import self_signed

FEATURES = "DeviceBoundSessions{quota},EnableBoundSessionCredentialsSoftwareKeysForManualTesting"
NO_QUOTA = ":RefreshQuota/false"
BINDING = "/device-binding/"


@dataclass
class Site:
    """The site's URLs, what its endpoints answered, what else was asked for, and what is to go wrong."""

    url: str = ""
    elsewhere: str = ""  # on another site, whose page has a link and a form that lead to /accounts/profile/
    asked: list[tuple[str, int]] = field(default_factory=list)
    served: list[tuple[str, str, int]] = field(default_factory=list)  # method, path, status
    trouble: int | None = None  # the endpoints' status
    arrived: Event = field(default_factory=Event)  # a proof
    answers: Event = field(default_factory=Event)  # or waits until it may

    def forget(self) -> None:
        self.asked.clear()
        self.served.clear()

    def refreshes(self) -> list[int]:
        """The answers to proofs."""
        return [status for name, status in self.asked if name == "refresh"]

    def times(self, method: str, path: str) -> list[int]:
        """The answers to requests for a path."""
        return [status for sent, asked, status in self.served if (sent, asked) == (method, path)]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return self_signed(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def site(certificate, settings):
    """The site over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "fullchain.pem", certificate / "privkey.pem")
    settings.TOKENS_BOUND_LIFETIME, settings.ALLOWED_HOSTS = 600, ["localhost"]
    site = Site()
    site.answers.set()

    class Server(ThreadedWSGIServer):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            # The handshake is the thread's that answers.
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
            self.base_environ["HTTPS"] = "on"

    class Handler(StaticFilesHandler):
        def __call__(self, environ, start_response):
            method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
            if environ["HTTP_HOST"].startswith("elsewhere.test"):
                start_response("200 OK", [("Content-Type", "text/html")])
                return [ELSEWHERE.format(site.url).encode()]

            def start(status, *rest):
                if path.startswith(BINDING):
                    site.asked.append((path.removeprefix(BINDING), int(status[:3])))
                else:
                    site.served.append((method, path, int(status[:3])))
                return start_response(status, *rest)

            if path.startswith(BINDING):
                site.arrived.set()
                site.answers.wait(30)
                if site.trouble:
                    start(f"{site.trouble} Trouble", [])
                    return []
            return super().__call__(environ, start)

    class Thread(LiveServerThread):
        server_class = Server

    thread = Thread("localhost", Handler)
    thread.daemon = True
    thread.start()
    assert thread.is_ready.wait(30) and thread.error is None
    site.url, site.elsewhere = (f"https://{host}:{thread.port}" for host in ("localhost", "elsewhere.test"))
    yield site
    thread.terminate()


ELSEWHERE = """<!doctype html><a href="{0}/accounts/profile/">Link</a>
<form method="post" action="{0}/accounts/profile/"><input name="first_name" value="Mallory"><button>Send</button></form>
"""


@pytest.fixture
def start(site, browser, browser_type, certificate, tmp_path):
    """`start()`: a page of a browser that is started on the same profile each time, and closes the one before."""
    public = x509.load_pem_x509_certificate((certificate / "fullchain.pem").read_bytes()).public_key()
    spki = b64encode(sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()).decode()
    running = ExitStack()

    def start(quota: str = NO_QUOTA) -> Any:
        running.close()
        context = browser_type.launch_persistent_context(
            str(tmp_path / "profile"),
            executable_path=chromium.executable(browser_type),
            base_url=site.url,
            args=[
                f"--enable-features={FEATURES.format(quota=quota)}",
                f"--ignore-certificate-errors-spki-list={spki}",
                "--host-resolver-rules=MAP elsewhere.test 127.0.0.1",
            ],
        )
        running.enter_context(chromium.closing(context))
        return context.pages[0]

    with running:
        yield start


@pytest.fixture
def page(start, bob):
    """A page of a browser in which Bob has signed in, and which has shown that it has the key of his session."""
    page = start()
    sign_in(page)
    return page


def sign_in(page: Any, *, remember: bool = False) -> None:
    """Bob signs in, his browser binds the session, and proves it once."""
    page.goto("/accounts/login/")
    page.get_by_label("User name or email").fill("bob")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Keep me signed in").set_checked(remember)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    while not held(page, "bound"):
        page.wait_for_timeout(50)
    page.wait_for_load_state()  # what it still asks for would be a reason to prove the key as well
    expire(page)
    page.goto("/")


def held(page: Any, kind: str) -> str | None:
    """The value of a cookie of ours that the browser holds."""
    jar = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
    return jar.get(f"__Host-{kind}")


def expire(page: Any, *kinds: str) -> None:
    """Access token and mark are over, or only what is named."""
    for kind in kinds or ("access", "bound"):
        page.context.clear_cookies(name=f"__Host-{kind}")
