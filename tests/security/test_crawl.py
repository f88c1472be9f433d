"""Every page that links lead to, as everybody: what it says in its headers, its cookies and its text."""

import re
from collections import Counter, deque
from html.parser import HTMLParser

import pytest
from django.test import Client as PlainClient

from tests.conftest import PASSWORD
from tests.pages import MISSING, VISITORS
from tests.tokens.clock import jar
from tokens.testing import Client

pytestmark = pytest.mark.once

START = (*VISITORS, "/admin/", MISSING)


class Page(HTMLParser):
    """The tags of a page, each with its attributes."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    @property
    def links(self):
        return sorted({attributes["href"] for tag, attributes in self.tags if tag == "a" and "href" in attributes})


def crawl(client):
    """Every address that can be reached by links, the nearest first, with its response; none changes anything.

    Of a list's many orders and filters, three are enough.
    """
    seen, todo, paths = {}, deque(START), Counter()
    while todo:
        url = todo.popleft().partition("#")[0]
        path = url.partition("?")[0]
        if not url.startswith("/") or url in seen or "_popup" in url or paths[path] == 3:
            continue
        paths[path] += 1
        seen[url] = response = client.get(url)
        if "Location" in response.headers:
            todo.append(response.headers["Location"])
        if response.headers.get("Content-Type", "").startswith("text/html") and response.status_code == 200:
            todo += [link if not link.startswith("?") else url.partition("?")[0] + link for link in links_of(response)]
    return seen


def links_of(response):
    return Page(response.content.decode()).links


@pytest.fixture(scope="module")
def crawled():
    """What was seen already, by who asked: no test changes it."""
    return {}


@pytest.fixture(params=["a visitor", "bob", "alice"])
def answers(request, alice, bob, crawled):
    """All answers to one of them, signing in and out among them; and the tokens that they held."""
    if request.param not in crawled:
        crawled[request.param] = everything(request.param)
    return crawled[request.param]


def everything(name):
    client = Client()
    posted = []
    if name != "a visitor":
        posted.append(client.post("/accounts/login/", {"username": name, "password": PASSWORD, "remember": "on"}))
    seen = crawl(client)
    tokens = set(jar(client).values())
    posted.append(client.post("/accounts/logout/"))
    found = [*seen.items(), *(("a form", response) for response in posted)]
    assert len(found) > (8 if name == "a visitor" else 12)
    return found, tokens


def test_every_cookie_is_bound_to_the_host_and_says_when_it_is_sent(answers):
    for url, response in answers[0]:
        for cookie in response.cookies.values():
            assert re.fullmatch(r"__Host-[a-z]+", cookie.key), url
            assert (cookie["path"], cookie["domain"]) == ("/", ""), url
            assert cookie["secure"], url
            assert cookie["httponly"], url
            assert cookie["samesite"] == "Lax", url
            assert len(cookie.key) + len(cookie.value) <= 4096, url


def test_no_token_is_anywhere_but_in_a_cookie(answers):
    found, tokens = answers
    for url, response in found:
        headers = "".join(value for name, value in response.headers.items() if name != "Set-Cookie")
        for token in tokens:
            assert token not in response.content.decode() + headers, url
            assert token.rpartition(".")[2] not in response.content.decode() + headers, url


def test_every_answer_says_what_it_is(answers):
    for url, response in answers[0]:
        assert response.headers["X-Content-Type-Options"] == "nosniff", url
        assert response.headers["Referrer-Policy"] == "same-origin", url
        assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin", url
        says = response.headers["Content-Type"]  # JSON is always UTF-8, and has no such parameter (RFC 8259 §11)
        assert "charset=utf-8" in says or says == "application/json" or not response.content, url
        assert not {"Server", "X-Powered-By"} & response.headers.keys(), url


def test_nothing_comes_from_another_site_and_nothing_is_of_old_technology(answers):
    for url, response in answers[0]:
        for tag, attributes in Page(response.content.decode()).tags:
            assert tag not in ("object", "embed", "applet", "iframe", "frame", "base"), url
            for name in ("src", "href", "action", "formaction", "poster", "data", "srcset"):
                assert not re.match(r"\s*([a-z]+:)?//|\s*(javascript|data):", attributes.get(name) or ""), (url, tag)
            assert not [name for name in attributes if name.startswith("on")], (url, tag)


def test_every_page_of_somebodys_has_the_way_out(answers):
    found, tokens = answers
    for url, response in found:
        if tokens and response.status_code == 200 and b"<html" in response.content and "_popup" not in url:
            assert b"/logout/" in response.content, url


def test_over_plain_http_there_is_a_redirect_and_no_cookie(settings, db):
    settings.SECURE_SSL_REDIRECT = True
    for url in ("/", "/accounts/login/", "/admin/"):
        response = PlainClient().get(url)
        assert (response.status_code, response.headers["Location"]) == (301, f"https://testserver{url}")
        assert not response.cookies
