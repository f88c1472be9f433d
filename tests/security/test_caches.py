"""Caches between the site and its visitors: nobody ever gets another's page, another's cookie, or a kept redirect."""

import re
import shutil
import subprocess
import time
from contextlib import closing
from http.client import HTTPConnection

import pytest
from django.conf import settings as configured
from django.core.cache import cache

from tests.pages import ADMINS, MACHINES, MISSING, OWN, VISITORS
from tests.postgres import give_up
from tests.project.test_demo import free_port
from tests.security import pages
from tests.security.corpus import ACCESS, OURS, PROBE, REFRESH
from tests.security.forging import part
from tests.security.wire import Socket, jar_after
from tests.tokens.clock import EXPIRED, copy_of, elapse, jar, left_behind
from tokens.testing import Client

pytestmark = pytest.mark.once

UPDATE = "django.middleware.cache.UpdateCacheMiddleware"
FETCH = "django.middleware.cache.FetchFromCacheMiddleware"
CONDITIONAL = "django.middleware.http.ConditionalGetMiddleware"
SITE = configured.MIDDLEWARE
STACKS = {
    "as Django's documentation has it": [UPDATE, *SITE, FETCH],
    "with conditional GET outside": [CONDITIONAL, UPDATE, *SITE, FETCH],
    "asked before everything else": [UPDATE, FETCH, *SITE],
    "asked before the visitor is known": [*SITE[:6], UPDATE, FETCH, *SITE[6:]],
}
SAYS = ["", "PUBLIC, Max-Age=60", "s-maxage=60", "private"]
TIMEOUT = 100  # seconds; only a hang reaches it


@pytest.fixture
def people(alice, bob):
    """Two who are signed in, one who was, and two who never were, one of them with a neighbour's cookies."""
    browsers = {name: Client() for name in ("alice", "bob", "nobody", "stranger", "leaver")}
    browsers["alice"].force_login(alice)
    browsers["bob"].force_login(bob)
    browsers["leaver"].force_login(bob)
    browsers["leaver"].logout()
    browsers["stranger"].cookies["theme"] = "dark"
    return browsers


def own(name):
    return f"<{name}>" if name in ("alice", "bob") else "<nobody>"


def walk(people, url):
    """Everybody in turn, twice; each gets a page of their own, and cookies that are their own."""
    for name, browser in [*people.items(), *reversed(people.items())]:
        response = browser.get(url)
        assert response.content.decode() == own(name), (name, url)
        for cookie in response.cookies.values():
            assert cookie.key != "basket" or f"<{cookie.value}>" == own(name), (name, url)
            assert cookie.key not in OURS or name in part(response.cookies[ACCESS].value, 1).decode(), (name, url)
        browser.cookies.pop("basket", None)


@pytest.mark.urls("tests.security.pages")
@pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)
class TestDjangosOwn:
    URL = "/who/?says=public, max-age=60&cookie=1"

    @pytest.fixture(autouse=True)
    def cached(self, settings, stack):
        settings.MIDDLEWARE = stack

    def test_it_does_keep_what_is_the_same_for_all(self, people):
        """Or else nothing here could fail."""
        asked = pages.machine.asked
        for browser in [*people.values(), *people.values()]:
            assert browser.get("/machine/").content == browser.get("/kept-machine/").content == b"<nobody>"
        assert pages.machine.asked - asked <= 2

    def test_everybody_gets_their_own_page_and_cookies_while_tokens_are_renewed(self, people):
        for url in (self.URL, "/kept/"):  # a decorator keeps the second, varied by the cookie
            for _ in range(2):  # the second time, each first answer sets new tokens
                walk(people, url)
                elapse(EXPIRED, people["alice"], people["bob"])
        assert not [kept for kept in stored() if REFRESH in kept]
        for name in ("alice", "bob", "alice"):
            assert people[name].get("/guarded/?says=public, max-age=60").content.decode() == own(name)
        assert people["nobody"].get("/guarded/?says=public, max-age=60").status_code == 302

    def test_somebody_who_signs_out_is_out_and_a_probe_is_kept_by_nobody(self, people):
        walk(people, self.URL)
        before = copy_of(people["alice"])
        people["alice"].logout()
        assert before.get(self.URL).content == people["alice"].get(self.URL).content == b"<nobody>"
        old = left_behind(people["bob"], url="/who/")
        response = old.get(self.URL)
        assert (response.status_code, list(response.cookies)) == (307, [PROBE, f"{PROBE}-told"])
        assert people["bob"].get(self.URL).content == b"<bob>"
        assert jar(old)


@pytest.mark.urls("tests.security.pages")
class TestWhatAViewSays:
    @pytest.fixture(autouse=True)
    def cached(self, settings):
        settings.MIDDLEWARE = [UPDATE, *SITE, FETCH]

    @pytest.mark.parametrize("says", SAYS, ids=lambda says: says or "nothing")
    def test_whatever_a_view_says_of_itself(self, people, says):
        for url in (f"/who/?says={says}", f"/who/?says={says}&cookie=1"):
            walk(people, url)
            elapse(EXPIRED, people["alice"], people["bob"])
            walk(people, url)
        assert not [kept for kept in stored() if REFRESH in kept or "alice" in kept or "bob" in kept]

    @pytest.mark.parametrize("vary", [" cookie ", "*"])
    def test_whatever_a_view_varies_by(self, people, vary):
        walk(people, f"/who/?vary={vary}&says=public, max-age=60")


def stored():
    """What Django's cache holds, as text."""
    return [repr(value) for value in cache._cache.values()]


class TestHeaders:
    """What any shared cache may keep (RFC 9111 §3): never a page for somebody, nor a cookie."""

    ADDRESSES = (*VISITORS, *OWN, *ADMINS, "/admin/login/", MISSING, "/accounts/logout/")

    def private(self, response):
        told = {directive.strip().lower() for directive in response.headers.get("Cache-Control", "").split(",")}
        return {"private", "no-store"} <= told and not {"public", "s-maxage"} & told

    def test_an_answer_to_somebody_is_private_and_stored_nowhere(self, client, alice):
        client.force_login(alice)
        for url in self.ADDRESSES:
            elapse(EXPIRED, client)
            for response in (client.get(url), client.get(url)):  # with new tokens, and without
                # A page that was not found looks at nobody until its template does.
                assert self.private(response) or url == MISSING or response.status_code == 405
                assert self.private(response) or not response.cookies
                assert "Cookie" in response.headers.get("Vary", "") or not self.private(response)

    def test_any_answer_with_a_cookie_is(self, db):
        for url in self.ADDRESSES:
            response = Client().get(url)
            assert self.private(response) or not response.cookies, url

    def test_so_are_the_answers_to_forms(self, client, bob, sign_in):
        assert self.private(sign_in(client, bob))
        assert self.private(client.post("/accounts/profile/", {"first_name": "Bob"}))
        assert self.private(client.post("/accounts/logout/"))

    def test_an_answer_that_varies_by_nothing_is_the_same_for_all(self, client, bob, db):
        client.force_login(bob)
        for url in MACHINES:
            theirs, nobodys = client.get(url), Client().get(url)
            assert theirs.content == nobodys.content
            assert not theirs.cookies
            assert "Cookie" not in theirs.headers.get("Vary", "")


# One server of each kind: as it comes; one that keeps Set-Cookie, as is often advised to make caching work; and
# one that does not understand Vary, as many content networks do not.
NGINX = """
{user}
daemon off;
pid {folder}/pid;
error_log stderr warn;
worker_processes 1;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    proxy_cache_path {folder}/cache keys_zone=shared:1m;
    proxy_cache shared;
    proxy_cache_valid any 60s;
    proxy_cache_key $server_port$request_uri;
    proxy_set_header Host localhost:{site};
    add_header X-Kept $upstream_cache_status always;
    server {{ listen 127.0.0.1:{careful}; location / {{ proxy_pass http://127.0.0.1:{site}; }} }}
    server {{
        listen 127.0.0.1:{careless};
        proxy_ignore_headers Set-Cookie;
        location / {{ proxy_pass http://127.0.0.1:{site}; }}
    }}
    server {{
        listen 127.0.0.1:{blind};
        proxy_ignore_headers Set-Cookie Vary;
        location / {{ proxy_pass http://127.0.0.1:{site}; }}
    }}
}}
"""
KINDS = ("careful", "careless", "blind")


@pytest.fixture(scope="module")
def proxies(production, tmp_path_factory):
    """The site through each kind of proxy, by its name."""
    nginx = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if nginx is None:
        give_up("No nginx here: `apt install nginx-light`.")
    folder = tmp_path_factory.mktemp("nginx")
    ports = {kind: free_port() for kind in KINDS}
    user = "user root;" if folder.owner() == "root" else ""
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, user=user, site=production.port, **ports))
    process = subprocess.Popen([nginx, "-p", folder, "-e", "stderr", "-c", folder / "nginx.conf"])
    try:
        for port in ports.values():
            wait_until_it_answers(port)
        yield {kind: Socket(port, f"localhost:{production.port}") for kind, port in ports.items()}
    finally:
        process.terminate()
        process.wait(timeout=60)


def wait_until_it_answers(port):
    end = time.monotonic() + TIMEOUT
    while True:
        try:
            with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
                connection.request("GET", "/healthz")
                return connection.getresponse().read()
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.05)


class TestNginx:
    @pytest.fixture
    def jars(self, proxies, production):
        """The jars of alice, bob and a visitor, each with each proxy."""
        signed_in = {
            (kind, name): way.sign_in(name, production.passwords[name])[1]
            for kind, way in proxies.items()
            for name in ("alice", "bob")
        }
        return signed_in | {(kind, "nobody"): b"" for kind in KINDS}

    ADDRESSES = ("/", "/accounts/profile/", "/accounts/login/")

    def visit(self, proxies, jars, url):
        """Everybody once, through each proxy; returns who got new tokens."""
        refreshed = []
        for (kind, name), header in list(jars.items()):
            answer = proxies[kind].get(url, header)
            where = (kind, name, url, answer)
            for other in {"alice", "bob"} - {name}:
                assert not re.search(rf"\b{other}\b", answer.text), where  # a random token may have it within
            given = answer.cookies.keys() & {ACCESS, REFRESH}
            assert not given or name in part(answer.cookies[ACCESS], 1).decode(), where
            assert PROBE not in answer.cookies, where
            assert answer.status != 307, where
            if name != "nobody":
                assert answer.header("X-Kept") != "HIT" or kind == "blind", where
                refreshed += [(kind, name)] * bool(given)
            jars[kind, name] = jar_after(header, answer)
        return refreshed

    def test_each_keeps_what_is_for_all(self, proxies):
        for way in proxies.values():
            assert way.get("/.well-known/jwks.json").status == 200
            assert way.get("/.well-known/jwks.json").header("X-Kept") == "HIT"

    def test_nobody_gets_what_is_anothers_while_tokens_are_renewed(self, proxies, jars):
        renewed, end = set(), time.monotonic() + TIMEOUT
        while any(who not in renewed for who in jars if "nobody" not in who):
            assert time.monotonic() < end, renewed
            for url in self.ADDRESSES:
                renewed.update(self.visit(proxies, jars, url))
            time.sleep(0.3)

    def test_nobody_gets_the_redirect_that_was_another_browsers(self, proxies, jars):
        """Of a token that two refreshes of the same session have made stale."""
        address = "/accounts/profile/?once=1"
        old = {(kind, "bob"): jars[kind, "bob"] for kind in KINDS}
        for _ in range(2):
            waiting, end = set(old), time.monotonic() + TIMEOUT
            while waiting:
                assert time.monotonic() < end, waiting
                time.sleep(0.4)
                waiting = {who for who in waiting if not self.refreshed(proxies[who[0]], jars, who)}
        for who, header in old.items():
            answer = proxies[who[0]].get(address, header)
            assert (answer.status, answer.header("X-Kept")) == (307, "MISS")
            assert PROBE in answer.cookies
        self.visit(proxies, jars, address)

    def refreshed(self, way, jars, who):
        """Visit a page that no proxy has kept. Return whether the jar has got another refresh token."""
        answer = way.get(f"/accounts/sessions/?{time.monotonic()}", jars[who])
        jars[who] = jar_after(jars[who], answer)
        return REFRESH in answer.cookies
