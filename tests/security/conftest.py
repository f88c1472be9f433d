"""The site, spoken to octet by octet, and somebody's real tokens to spoil."""

import secrets
from collections.abc import Iterator

import pytest
from django.conf import settings

from tests.project.test_demo import Demo, running
from tests.security.forging import Real
from tests.security.wire import Asgi, Socket, Way, Wsgi
from tests.tokens.clock import jar
from tokens.core.keys import derive
from tokens.testing import Client


@pytest.fixture(scope="session")
def wsgi() -> Wsgi:
    return Wsgi()


@pytest.fixture(scope="session")
def asgi() -> Asgi:
    return Asgi()


@pytest.fixture
def real(bob) -> Real:
    """The tokens of Bob, who is signed in."""
    browser = Client()
    browser.force_login(bob)
    return Real(**jar(browser), key=derive(settings.SECRET_KEY))


@pytest.fixture
def opens(wsgi):
    """`opens(header)`: whether somebody is signed in by this Cookie header, on an open or on a closed page."""

    def opens(header):
        octets = header if isinstance(header, bytes) else header.encode()
        home, closed = wsgi.get("/", octets), wsgi.get("/accounts/sessions/", octets)
        assert home.status == 200
        assert closed.status in (200, 302)
        return b'action="/accounts/logout/"' in home.body or closed.status == 200

    return opens


@pytest.fixture(scope="session")
def production(tmp_path_factory) -> Iterator[Demo]:
    """The production server, on a socket; access tokens last three seconds. `production.secret` is its SECRET_KEY."""
    secret = secrets.token_urlsafe(50)
    folder = tmp_path_factory.mktemp("hostile") / "data"
    with running(folder, SECRET_KEY=secret, TOKENS_ACCESS_LIFETIME="3") as demo:
        demo.secret = secret
        yield demo


@pytest.fixture(scope="session")
def server(production) -> Socket:
    return Socket(production.port)


def real_of(way: Way, name: str, password: str, secret: str) -> Real:
    answer, _ = way.sign_in(name, password)
    assert answer.status == 302, answer
    return Real(answer.cookies["__Host-access"], answer.cookies["__Host-refresh"], derive(secret))
