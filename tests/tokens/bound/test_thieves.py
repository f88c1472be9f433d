"""What a thief gets with a copy of the whole jar, made and used at each moment of a bound session; and its owner."""

from functools import partial
from time import time

import pytest

from tests.conftest import PASSWORD
from tests.tokens.clock import copy_of, elapse, jar
from tests.tokens.device import AsgiClient, Device, WsgiClient
from tokens import bearer, cookies
from tokens.binding import marks
from tokens.core.exceptions import TokenError
from tokens.models import RefreshToken

pytestmark = [pytest.mark.urls("tests.tokens.urls"), pytest.mark.django_db]

LIFETIME = 600
OVER = 16 * 60  # seconds, after which no access token is good
PAGES = {"open": "/who/", "signed-in": "/closed/", "guarded": "/guarded-form/"}


@pytest.fixture(params=[WsgiClient, AsgiClient], ids=["wsgi", "asgi"])
def owner(request, settings, bob):
    """Bob's device, which is bound."""
    settings.TOKENS_BOUND_LIFETIME = LIFETIME
    device = Device(request.param())
    device.offer = device.client.post("/log-in/", {"username": "bob", "password": PASSWORD})
    return device


@pytest.fixture
def opened(rf):
    """`opened(thief)`: the kinds of pages that show Bob to a browser with this jar, and of APIs that take its token."""

    def shows(client, url):
        response = client.get(url)
        for _ in range(2):  # as a browser does
            if response.status_code == 307 or "Refresh" in response.headers:
                response = client.get(url)
        return response.content.startswith(b"bob")

    def accepts(ask, *arguments):
        try:
            ask(*arguments)
        except TokenError:
            return False
        return True

    def opened(thief):
        found = {kind for kind, url in PAGES.items() if shows(copy_of(thief), url)}
        access, refresh = jar(thief)["access"], jar(thief)["refresh"]
        for kind, fresh in {"API": False, "guarded API": True}.items():
            if accepts(partial(bearer.resume, fresh=fresh), rf.get("/", headers={"Authorization": f"Bearer {access}"})):
                found.add(kind)
        assert not accepts(bearer.exchange, rf.get("/"), refresh)
        return found

    return opened


def prove(device, ago=0):
    """The mark in the jar is of a proof of so many seconds ago."""
    mark = marks.sign(device.session, int(time()) + LIFETIME - ago)
    device.client.cookies[cookies.name_of("bound")] = mark


def at_once(owner):
    return copy_of(owner.client)


def mark_old(owner):
    prove(owner, ago=marks.PROVED_WITHIN)
    return copy_of(owner.client)


def access_over(owner):
    prove(owner, ago=marks.PROVED_WITHIN)
    elapse(OVER, owner.client)
    return copy_of(owner.client)


def mark_over(owner):
    prove(owner, ago=LIFETIME)
    elapse(OVER, owner.client)
    return copy_of(owner.client)


def mark_gone(owner):
    thief = mark_over(owner)
    del thief.cookies[cookies.name_of("bound")]
    return thief


def owner_has_rotated(owner):
    """Twice, so that the copy's refresh token is stale, while its mark is good."""
    thief = access_over(owner)
    for seconds in (0, OVER):
        elapse(seconds, owner.client, thief)
        prove(owner)
        assert owner.client.get("/who/").content == b"bob"
    return thief


@pytest.mark.parametrize(
    ("moment", "kinds"),
    [
        (at_once, {"open", "signed-in", "guarded", "API"}),
        (mark_old, {"open", "signed-in", "API"}),
        (access_over, set()),
        (mark_over, set()),
        (mark_gone, set()),
        (owner_has_rotated, set()),
    ],
)
def test_a_copy_that_is_used(owner, opened, moment, kinds):
    owner.bind(owner.offer)
    assert opened(moment(owner)) == kinds
    prove(owner)
    assert owner.client.get("/guarded-form/").content.startswith(b"bob")
    assert RefreshToken.objects.live().get().probed_jti is None


def test_a_copy_from_before_the_registration(owner, opened):
    thief = copy_of(owner.client)
    assert opened(thief) == {"open", "signed-in", "guarded", "API", "guarded API"}
    owner.bind(owner.offer)
    assert opened(thief) == {"open", "signed-in", "API"}
    elapse(LIFETIME, owner.client, thief)
    assert opened(thief) == set()
    assert owner.client.get("/guarded-form/").content.startswith(b"bob")


def test_a_copy_from_before_the_sign_out(owner, opened):
    thief = copy_of(owner.bind(owner.offer).client)
    assert owner.client.post("/log-out/").content == b"bye"
    assert opened(thief) == set()
