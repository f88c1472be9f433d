"""Whatever stands in the Cookie header: an anonymous page, no cookie of ours, and the log-in works beside it."""

import re
from uuid import UUID

import pytest
from django.conf import settings
from django.urls import get_resolver

from tests.accounts.test_pages import patterns
from tests.conftest import PASSWORD
from tests.hostile.conftest import real_of
from tests.hostile.corpus import CASES, OURS
from tokens.models import RefreshToken

pytestmark = pytest.mark.once  # the database has next to no part in it

# Every open page, with the status that an anonymous visitor gets; the key is the route.
OPEN = {
    "/": ("/", 200),
    "/accounts/login/": ("/accounts/login/", 200),
    "/accounts/logout/": ("/accounts/logout/", 405),
    "/accounts/signup/": ("/accounts/signup/", 200),
    "/accounts/password/reset/": ("/accounts/password/reset/", 200),
    "/accounts/password/reset/done/": ("/accounts/password/reset/done/", 200),
    "/accounts/password/reset/<uidb64>/<token>/": ("/accounts/password/reset/MQ/set-password/", 200),
    "/accounts/password/reset/complete/": ("/accounts/password/reset/complete/", 200),
    "/accounts/email/verify/": ("/accounts/email/verify/", 302),
    "/accounts/email/confirm/<uuid:key>/<token>/": (f"/accounts/email/confirm/{UUID(int=1)}/here/", 200),
    "/accounts/email/undo/<uuid:key>/<token>/": (f"/accounts/email/undo/{UUID(int=1)}/here/", 200),
    "/accounts/language/": ("/accounts/language/", 405),
    "/admin/login/": ("/admin/login/", 302),
    "/.well-known/change-password": ("/.well-known/change-password", 302),
    "/.well-known/jwks.json": ("/.well-known/jwks.json", 200),
    "/.well-known/openid-configuration": ("/.well-known/openid-configuration", 200),
    "/.well-known/status-list": ("/.well-known/status-list", 404),  # there is none, unless it is turned on
    "/csp-report": ("/csp-report", 405),
    "/healthz": ("/healthz", 200),
    "/readyz": ("/readyz", 200),
    "/metrics": ("/metrics", 404),  # which is open to whoever shows its token
}
OTHERS = {
    "/static/admin/css/base.css": 200,
    "/no/such/page/": 404,
    "/accounts/sessions/": 302,
    "/admin/": 302,
    "/api/": 302,
    "/api/me": 401,  # as without any cookie; the rest of the API has tests of its own
}
PAGES = {**dict(OPEN.values()), **OTHERS}
STATIC = "/static/admin/css/base.css"  # has another name in production, and is for WSGI

CHUNKS = 25  # tests of some twenty cases: a test for each would spend its time on making Bob
SAMPLE = sorted(CASES)[::25]


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
    """The page without what differs from one visit to the next, and without why a sign-in is over."""
    text = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", answer.body.decode("latin-1"))
    return re.sub(r'<div class="notice".*?</div>', "", text, flags=re.S).split()


def check(answer, expected, where):
    assert answer.status == expected.status, where
    assert not answer.cookies.keys() & set(OURS), where
    assert answer.cookies.keys() <= {"__Host-csrftoken", "__Host-messages", "__Host-session"}, where
    assert answer.header("Location") == expected.header("Location"), where
    assert plain(answer) == plain(expected), where


def test_there_are_at_least_200_cases_and_all_differ(real):
    headers = {case.header(real) for case in CASES.values()}
    assert len(headers) == len(CASES) >= 200
    assert max(map(len, headers)) > 65536


def test_every_open_page_is_visited():
    routes = {route for route, view in patterns(get_resolver()) if not getattr(view, "login_required", True)}
    assert {route for route in routes if not route.startswith("/api/")} == set(OPEN)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_means_nobody_on_every_page_and_the_log_in_works(chunk, real, wsgi, ordinary, caplog):
    jars = {name: CASES[name].header(real) for name in list(CASES)[chunk::CHUNKS]}
    forms = {}
    for name, garbage in jars.items():
        for url, status in PAGES.items():
            answer = wsgi.get(url, garbage)
            assert answer.status == status, (name, url)
            check(answer, ordinary(wsgi, url), (name, url))
            if url == "/accounts/login/":
                forms[name] = answer
    assert RefreshToken.objects.get().is_live  # no garbage, however like a token of his, has ended Bob's sign-in
    assert not [record for record in caplog.records if record.exc_info or record.levelname == "ERROR"]
    for name, garbage in jars.items():
        answer, jar = wsgi.sign_in("bob", PASSWORD, garbage, form=forms[name])
        assert (answer.status, answer.header("Location")) == (302, "/"), name
        assert wsgi.get("/accounts/sessions/", jar).status == 200, name


@pytest.mark.parametrize("first", [True, False], ids=["before ours", "behind ours"])
def test_ends_no_sign_in_wherever_it_stands(real, wsgi, first):
    """The jar of somebody who is signed in, with everything in turn that a neighbour on the domain could add to it."""
    ours = f"__Host-access={real.access}; __Host-refresh={real.refresh}".encode()
    for name, case in CASES.items():
        garbage = case.header(real)
        if any(cookie.partition(b"=")[0].strip(b" ").decode("latin-1") in OURS for cookie in garbage.split(b";")):
            continue  # a jar holds one of each
        header = b"; ".join((garbage, ours) if first else (ours, garbage))
        assert b'action="/accounts/logout/"' in wsgi.get("/", header).body, name


@pytest.mark.parametrize("chunk", range(10))
def test_means_nobody_to_the_asgi_handler_too(chunk, real, asgi, ordinary):
    for name in list(CASES)[chunk::10]:
        check(asgi.get("/", CASES[name].header(real)), ordinary(asgi, "/"), name)
    for name in SAMPLE[chunk::10]:
        garbage = CASES[name].header(real)
        for url in PAGES.keys() - {STATIC}:
            check(asgi.get(url, garbage), ordinary(asgi, url), (name, url))
        answer, jar = asgi.sign_in("bob", PASSWORD, garbage)
        assert answer.status == 302
        assert asgi.get("/accounts/sessions/", jar).status == 200


def test_each_cookie_in_a_header_of_its_own_is_read_as_one(real, asgi):
    """As HTTP/2 sends them."""
    pieces = [b"a=b", f"__Host-access={real.access}".encode(), b"\xff=\xff"]
    assert b'action="/accounts/logout/"' in asgi.get_in_pieces("/", pieces).body
    assert b'action="/accounts/logout/"' not in asgi.get_in_pieces("/", [*pieces, b"__Host-access=x"]).body


@pytest.fixture(scope="module")
def stolen(production, server):
    return real_of(server, "bob", production.passwords["bob"], production.secret)


class TestOverASocket:
    """The production server, bytes exactly as written."""

    def refused_by_the_server(self, header):
        return len(header) > 8180 or re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", header)

    def test_every_case_is_nobodys_or_is_refused_by_the_server_itself(self, server, stolen, ordinary):
        refused = 0
        for name, case in CASES.items():
            header = case.header(stolen)
            answer = server.get("/", header)
            if self.refused_by_the_server(header):
                refused += 1
                assert answer.status in (0, 400, 431), name
                assert b"Traceback" not in answer.body
            else:
                check(answer, ordinary(server, "/"), name)
        assert refused < len(CASES) / 10

    def test_a_sample_is_nobodys_on_every_page(self, server, stolen, ordinary):
        for name in SAMPLE:
            header = CASES[name].header(stolen)
            if not self.refused_by_the_server(header):
                for url in PAGES.keys() - {STATIC}:
                    check(server.get(url, header), ordinary(server, url), (name, url))

    def test_a_sample_keeps_nobody_from_logging_in(self, production, server, stolen):
        for name in SAMPLE[::3]:
            header = CASES[name].header(stolen)
            if not self.refused_by_the_server(header):
                answer, jar = server.sign_in("bob", production.passwords["bob"], header)
                assert answer.status == 302, name
                assert server.get("/accounts/sessions/", jar).status == 200, name

    @pytest.mark.parametrize("octet", [b"\0", b"\r", b"\n", b"\r\n", b"\n X: y", b"\r\nX-Injected: y"], ids=ascii)
    def test_no_octet_ends_the_header_early(self, server, octet):
        answer = server.get("/", b"a=b" + octet + b"; __Host-access=x")
        assert answer.status in (0, 200, 400)
        assert b"Traceback" not in answer.body
        assert not answer.header("X-Injected")

    def test_its_log_holds_no_traceback(self, production, server, stolen):
        before = len(production.errors.read_text())
        for name in SAMPLE:
            header = CASES[name].header(stolen)
            if not self.refused_by_the_server(header):
                server.get("/accounts/login/", header)
        assert "Traceback" not in production.errors.read_text()[before:]


def test_the_tests_run_as_production_does():
    assert not settings.DEBUG
