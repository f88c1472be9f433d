"""ops/nginx/sojourn.conf, in a real nginx: what it hands on, what it takes, and what it writes down."""

import json
import re
import shutil
import ssl
import subprocess
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPSConnection

import pytest
from django.urls import get_resolver

from tests.http_server import Handler, serving
from tests.ops import nginx
from tests.ops.certificate import self_signed
from tests.smtp import wait_until

pytestmark = pytest.mark.once

COOKIES = [f"__Host-{name}={'x' * 2_200}" for name in ("access", "refresh")]  # with an RSA key of 4,096 bits


class Echo(Handler):
    """A site that answers with what it was asked, and two long cookies."""

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.dumps(dict(self.headers)).encode()
        self.send_response(200)
        for cookie in COOKIES:
            self.send_header("Set-Cookie", cookie)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET


class Front:
    """nginx in front of the server at a port of this machine."""

    def __init__(self, folder, ports, certificate):
        self.folder, (self.http, self.https) = folder, ports
        self.tls = ssl.create_default_context(cafile=certificate / "fullchain.pem")

    def ask(self, path="/", method="GET", body=None, **headers):
        with closing(HTTPSConnection("localhost", self.https, context=self.tls, timeout=60)) as connection:
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            return answer, answer.read()

    def logged(self):
        return [json.loads(line) for line in (self.folder / "sojourn.log").read_text().splitlines()]


@contextmanager
def before(folder, port):
    certificate = self_signed(folder)
    with nginx.serving(folder, [f"127.0.0.1:{port}"], certificate) as ports:
        yield Front(folder, ports, certificate)


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    with serving(Echo) as port, before(tmp_path_factory.mktemp("nginx"), port) as front:
        yield front


def test_nginx_itself_finds_nothing_wrong(front):
    command = [nginx.program(), "-p", front.folder, "-e", "stderr", "-c", front.folder / "nginx.conf", "-t"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "warn" not in done.stderr, done.stderr


def test_the_site_learns_who_asks_by_which_name_and_that_it_was_by_tls(front):
    answer, body = front.ask(
        "/", **{"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "http", "X-Request-ID": "mine"}
    )
    seen = json.loads(body)
    assert answer.status == 200
    assert seen["Host"] == f"localhost:{front.https}"
    assert seen["X-Forwarded-For"] == "192.0.2.1, 127.0.0.1"  # the last one is nginx's, and TRUSTED_PROXIES=1
    assert seen["X-Forwarded-Proto"] == "https"
    assert re.fullmatch("[0-9a-f]{32}", seen["X-Request-ID"])
    assert seen["Connection"] == "close"


def test_the_longest_cookies_pass_both_ways(front):
    answer, body = front.ask("/", Cookie="; ".join(COOKIES))
    assert answer.headers.get_all("Set-Cookie") == COOKIES
    assert json.loads(body)["Cookie"] == "; ".join(COOKIES)


def test_several_cookie_headers_become_one(front):
    with closing(HTTPSConnection("localhost", front.https, context=front.tls, timeout=60)) as connection:
        connection.putrequest("GET", "/")
        for cookie in ("a=1", "b=2"):
            connection.putheader("Cookie", cookie)
        connection.endheaders()
        assert json.loads(connection.getresponse().read())["Cookie"] == "a=1; b=2"


def test_plain_http_is_sent_to_https(front):
    with closing(HTTPConnection("127.0.0.1", front.http, timeout=60)) as connection:
        connection.request("GET", "/accounts/login/?next=/", headers={"Host": "example.org"})
        answer = connection.getresponse()
        answer.read()
    assert (answer.status, answer.headers["Location"]) == (301, "https://example.org/accounts/login/?next=/")


def test_a_body_that_no_form_sends_is_refused_and_none_lies_on_the_disk(front):
    shutil.rmtree(front.folder / "body")  # or a body that is written down would be gone before anybody looks
    assert front.ask("/", "POST", b"x" * (1 << 20))[0].status == 200
    assert front.ask("/", "POST", b"x" * ((1 << 20) + 1))[0].status == 413


class TestLog:
    def test_it_says_what_happened_and_no_secret(self, front):
        hidden = "hushhush"
        for path in ("/accounts/login/?next=%2F&code=hushhush", "/accounts/password/reset/MQ/hushhush/"):
            front.ask(path, Cookie=f"__Host-access={hidden}", Referer=f"https://localhost/{hidden}")
        wait_until(lambda: "reset" in (front.folder / "sojourn.log").read_text())
        pages = [line["page"] for line in front.logged()]
        assert {"/accounts/login/", "/accounts/password/reset/..."} <= set(pages)
        assert hidden not in "".join(path.read_text() for path in front.folder.glob("*.log"))

    def test_every_path_with_a_secret_is_cut(self, front):
        """Whichever the site has: those with a `token` in their pattern."""
        [rule] = re.findall(r"~(\^\S+)", nginx.SITE.read_text())
        secret = [
            "/" + "".join(text.replace("%(token)s", "hushhush") for text, _ in shapes)
            for names in get_resolver().reverse_dict
            if isinstance(names, str)
            for shapes in [get_resolver().reverse_dict.getlist(names)[0][0]]
            if "token" in shapes[0][1]
        ]
        assert len(secret) >= 3
        for path in secret:
            assert re.match(rule.replace("(?<", "(?P<"), path), path

    def test_no_line_can_be_forged(self, front):
        front.ask("/%FF%C3%A9")  # with no UTF-8 in it this would fail to decode
        front.ask("/%0A%7B%22status%22:%22200%22%7D")
        wait_until(lambda: any("\n" in line["page"] for line in front.logged()))


def test_the_endpoints_of_device_bound_sessions_are_neither_throttled_nor_redirected(front):
    """Browsers would forget their key. The proof is that of an RSA key."""
    for _ in range(100):
        answer, _ = front.ask("/device-binding/refresh", "POST", **{"Secure-Session-Response": "x" * 1_200})
        assert answer.status == 200


def test_without_a_server_it_says_so_and_when_to_come_back(tmp_path):
    with before(tmp_path, 1) as front:  # where nobody listens
        answer, body = front.ask("/accounts/login/?code=hushhush")
        assert front.ask("/device-binding/refresh", "POST")[0].status == 503
    assert (answer.status, answer.headers["Retry-After"], answer.headers["Cache-Control"]) == (503, "5", "no-store")
    assert b"Please try again" in body
    assert "hushhush" not in "".join(path.read_text() for path in tmp_path.glob("*.log"))
