"""The site keeps all that redirects or throttles away from the endpoints of device-bound sessions.

A browser forgets the key of its session for good at a redirect, a 401 or a 429.
"""

from datetime import timedelta

import pytest
from django.urls import clear_script_prefix, set_script_prefix
from django.utils import timezone

from tests.conftest import PASSWORD
from tests.project.test_outages import read_only
from tests.tokens.clock import elapse
from tests.tokens.device import REGISTRATION, Device
from tests.tokens.outage import gone
from tokens.models import RefreshToken
from tokens.testing import Client

pytestmark = pytest.mark.django_db(transaction=True)


class Browser(Client):
    """A browser that sends its whole jar, and form fields besides, along with each proof."""

    secure = True

    def __init__(self, **kwargs):
        super().__init__(enforce_csrf_checks=True)

    def send(self, url, proof=None, sid=""):
        headers = {"Secure-Session-Response": proof, "Sec-Secure-Session-Id": f'"{sid}"'}
        body = "csrfmiddlewaretoken=theirs"
        form = "application/x-www-form-urlencoded"
        return self.post(url, body, form, headers=headers, secure=self.secure)


@pytest.fixture(autouse=True)
def _no_prefix():
    yield
    clear_script_prefix()


@pytest.fixture
def browser_of():
    """`browser_of(user)`: a browser in which `user` has signed in, and the offer that it got."""

    def browser_of(user):
        browser = Browser()
        browser.handler.enforce_csrf_checks = False
        fields = {"username": user.username, "password": PASSWORD}
        response = browser.post("/accounts/login/", fields, secure=True)
        browser.handler.enforce_csrf_checks = True
        return browser, REGISTRATION.fullmatch(response.headers["Secure-Session-Registration"])

    return browser_of


def plain_http(browser, settings):
    """A proxy in front that does not say that the browser came by TLS."""
    settings.SECURE_SSL_REDIRECT = True
    browser.secure = False


def factor_required(browser, settings):
    settings.REQUIRE_SECOND_FACTOR_FOR = ["staff"]


def email_unverified(browser, settings):
    settings.EMAIL_VERIFICATION = "mandatory"


def deletion_requested(browser, settings):
    row = RefreshToken.objects.get()
    type(row.user).objects.update(deletion_due_at=timezone.now() + timedelta(days=3))


def another_language(browser, settings):
    browser.cookies[settings.LANGUAGE_COOKIE_NAME] = "de"


def below_a_path(browser, settings):
    settings.FORCE_SCRIPT_NAME = "/app"
    set_script_prefix("/app/")  # which the test client leaves alone


@pytest.mark.parametrize(
    "condition",
    [plain_http, factor_required, email_unverified, deletion_requested, another_language, below_a_path],
)
def test_no_middleware_stands_before_them(alice, browser_of, settings, condition):
    browser, offer = browser_of(alice)
    condition(browser, settings)
    browser.handler.load_middleware()
    elapse(16 * 60, browser)  # so that cookies that are read are refreshed, or found wanting
    device = Device(browser)
    answer = browser.send(offer["path"], device.proof(offer["challenge"], jwk=device.jwk))
    assert answer.status_code == 200
    below = settings.FORCE_SCRIPT_NAME or ""
    told = answer.json()
    assert told["refresh_url"] == f"{below}/device-binding/refresh"
    assert {"type": "exclude", "domain": "*", "path": f"{below}/healthz"} in told["scope"]["scope_specification"]
    for _ in range(2):  # a form that is sent twice would be answered as it was the first time
        sid, challenge = told["session_identifier"], answer.headers["Secure-Session-Challenge"].split('"')[1]
        answer = browser.send("/device-binding/refresh", device.proof(challenge), sid)
        assert (answer.status_code, set(answer.cookies)) == (200, {"__Host-bound"})


def test_nobody_is_throttled(bob, browser_of):
    browser, _ = browser_of(bob)
    sid = RefreshToken.objects.get().pk
    for proof in ("nonsense", Device(browser).proof("nonsense")):
        for _ in range(60):
            assert browser.send("/device-binding/register", proof).status_code == 401
            assert browser.send("/device-binding/refresh", proof, sid).status_code == 401


@pytest.mark.parametrize("outage", [gone, read_only])
def test_without_a_database_the_browser_is_to_come_back(bob, browser_of, outage):
    browser, offer = browser_of(bob)
    device = Device(browser)
    register = device.proof(offer["challenge"], jwk=device.jwk)
    with outage():
        answer = browser.send(offer["path"], register)
    assert (answer.status_code, set(answer.cookies)) == (503, set())
    answer = browser.send(offer["path"], register)
    assert answer.status_code == 200
    proof = device.proof(answer.headers["Secure-Session-Challenge"].split('"')[1])
    sid = answer.json()["session_identifier"]
    with outage():
        answer = browser.send("/device-binding/refresh", proof, sid)
    assert (answer.status_code, set(answer.cookies)) == (503, set())
    assert browser.send("/device-binding/refresh", proof, sid).status_code == 200
