"""Whatever stands in the Cookie header: an anonymous page, no cookie of ours, and the log-in works beside it."""

import re

import pytest
from django.core.cache import cache

from tests.conftest import PASSWORD
from tests.pages import MISSING, OPEN, SAMPLES
from tests.security.conftest import real_of
from tests.security.corpus import OURS, headers, pair
from tokens.models import RefreshToken

pytestmark = pytest.mark.once  # the database has next to no part in it


OTHERS = {
    "/static/admin/css/base.css": 200,
    MISSING: 404,
    "/accounts/sessions/": 302,
    "/admin/": 302,
    "/api/": 302,
    "/api/me": 401,  # as without any cookie; the rest of the API has tests of its own
}
PAGES = {re.sub("<.*?>", lambda found: SAMPLES[found[0]], route): status for route, status in OPEN.items()} | OTHERS
HOME, LOGIN, SESSIONS = "/", "/accounts/login/", "/accounts/sessions/"

# One case of each kind: where each page or each way to the site is tried, all of them would say nothing new.
SAMPLE = (
    *("three letters", "octets that are no UTF-8", "both twice, the same", "exchanged", "as a probe"),
    *("a session and messages that nobody signed", "U+2000 before the names", "tokens: expired"),
)


@pytest.fixture(scope="session")
def ordinary():
    """`ordinary(way, url)`: what a visitor without any cookie gets there; asked once."""
    seen = {}

    def ordinary(way, url):
        if (way, url) not in seen:
            seen[way, url] = way.get(url)
        return seen[way, url]

    return ordinary


def plain(answer):
    """Return the page without what differs from one visit to the next, and without why a session has ended."""
    text = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", answer.body.decode("latin-1"))
    text = re.sub(r"challenge(&quot;|\"): (&quot;|\")[\w-]+", "", text)
    return re.sub(r'<div class="notice".*?</div>', "", text, flags=re.S).split()


def check(answer, expected, where):
    assert answer.status == expected.status, where
    assert not answer.cookies.keys() & set(OURS), where
    assert answer.cookies.keys() <= {"__Host-csrftoken", "__Host-messages", "__Host-session"}, where
    assert answer.header("Location") == expected.header("Location"), where
    assert plain(answer) == plain(expected), where


def test_it_means_nobody_and_the_log_in_works(real, wsgi, ordinary, caplog):
    jars = headers(real)
    forms = {}
    for name, garbage in jars.items():
        check(wsgi.get(HOME, garbage), ordinary(wsgi, HOME), name)
        forms[name] = wsgi.get(LOGIN, garbage)
    assert RefreshToken.objects.get().is_live  # no garbage, however like a token of his, has ended Bob's session
    assert not [record for record in caplog.records if record.exc_info or record.levelname == "ERROR"]
    for name, garbage in jars.items():
        cache.clear()  # so many sign-ins in an hour would have to wait
        answer, jar = wsgi.sign_in("bob", PASSWORD, garbage, form=forms[name])
        assert (answer.status, answer.header("Location")) == (302, HOME), name
        assert wsgi.get(SESSIONS, jar).status == 200, name


def test_it_means_nobody_on_every_page(real, wsgi, ordinary):
    jars = headers(real)
    for url, status in PAGES.items():
        assert ordinary(wsgi, url).status == status, url
        for name in SAMPLE:
            check(wsgi.get(url, jars[name]), ordinary(wsgi, url), (name, url))


@pytest.mark.parametrize("first", [True, False], ids=["before ours", "behind ours"])
def test_ends_no_session_wherever_it_stands(real, wsgi, first):
    """The jar of somebody who is signed in, with everything in turn that a neighbour on the domain could add to it."""
    ours = pair(real)
    for name, garbage in headers(real).items():
        if any(cookie.partition(b"=")[0].strip(b" ").decode("latin-1") in OURS for cookie in garbage.split(b";")):
            continue  # a jar holds one of each
        header = b"; ".join((garbage, ours) if first else (ours, garbage))
        assert b'action="/accounts/logout/"' in wsgi.get(HOME, header).body, name


def test_it_means_nobody_to_the_asgi_handler_too(real, asgi, ordinary):
    for name, garbage in headers(real).items():
        check(asgi.get(HOME, garbage), ordinary(asgi, HOME), name)
        if name in SAMPLE:
            answer, jar = asgi.sign_in("bob", PASSWORD, garbage)
            assert answer.status == 302
            assert asgi.get(SESSIONS, jar).status == 200


def test_each_cookie_in_a_header_of_its_own_is_read_as_one(real, asgi):
    """As HTTP/2 sends them."""
    pieces = [b"a=b", f"__Host-access={real.access}".encode(), b"\xff=\xff"]
    assert b'action="/accounts/logout/"' in asgi.get_in_pieces(HOME, pieces).body
    assert b'action="/accounts/logout/"' not in asgi.get_in_pieces(HOME, [*pieces, b"__Host-access=x"]).body


@pytest.fixture(scope="module")
def jars(production, server):
    return headers(real_of(server, "bob", production.passwords["bob"], production.secret))


class TestOverASocket:
    """The production server, octets exactly as written."""

    def test_it_is_nobodys_or_is_refused_by_the_server_itself_and_the_log_holds_no_traceback(
        self, production, server, jars, ordinary
    ):
        for name, header in jars.items():
            answer = server.get(HOME, header)
            if len(header) > 8180 or re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", header):
                assert answer.status in (0, 400, 431), name
                assert b"Traceback" not in answer.body
            else:
                check(answer, ordinary(server, HOME), name)
        answer, jar = server.sign_in("bob", production.passwords["bob"], jars["octets that are no UTF-8"])
        assert (answer.status, server.get(SESSIONS, jar).status) == (302, 200)
        assert "Traceback" not in production.errors.read_text()

    def test_no_octet_ends_the_header_early(self, server):
        for octet in (b"\0", b"\r", b"\n X: y", b"\r\nX-Injected: y"):
            answer = server.get(HOME, b"a=b" + octet + b"; __Host-access=x")
            assert answer.status in (0, 200, 400)
            assert b"Traceback" not in answer.body
            assert not answer.header("X-Injected")
