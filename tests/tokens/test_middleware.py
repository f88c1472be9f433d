"""When sign-ins are resumed and cookies written, and what caches may make of it."""

import asyncio

import pytest
from asgiref.sync import SyncToAsync
from django.contrib.auth import get_user_model
from django.db import OperationalError, connection
from django.utils import timezone

from accounts.models import SecurityEvent
from tests.conftest import PASSWORD
from tests.tokens.clock import EXPIRED, elapse, jar, left_behind
from tests.tokens.outage import gone
from tokens import middleware
from tokens.authentication import needs_no_database
from tokens.models import RefreshToken, RefreshTokenManager
from tokens.revocation import local_revocation_list
from tokens.testing import AsyncClient, Client

Reason = RefreshToken.Reason

pytestmark = pytest.mark.urls("tests.tokens.urls")


class TestProcessView:
    def test_a_closed_page_sends_a_visitor_to_the_log_in_and_back_unless_a_form_was_lost(self, db):
        for method, url in (("get", "/log-in/?next=/closed/"), ("post", "/log-in/")):
            response = getattr(Client(), method)("/closed/")
            assert (response.status_code, response.headers["Location"]) == (302, url)

    def test_a_post_with_an_expired_access_token_is_processed_once_and_refreshes(self, bob, signed_in):
        browser = signed_in(bob)
        elapse(EXPIRED, browser)
        response = browser.post("/closed/", {"text": "hello"})
        assert response.content == b"bob POST hello"
        assert {"__Host-access", "__Host-refresh"} <= response.cookies.keys()

    def test_a_page_for_machines_reads_no_cookies_and_sets_none(self, bob, signed_in, django_assert_num_queries):
        browser = signed_in(bob)
        elapse(EXPIRED, browser)
        with django_assert_num_queries(0):
            response = browser.get("/machine/")
        assert response.content == b"nobody"
        assert not response.cookies and "Vary" not in response.headers

    def test_a_page_that_is_not_found_refreshes_nothing(self, bob, signed_in):
        browser = signed_in(bob)
        elapse(EXPIRED, browser)
        response = browser.get("/nowhere/")
        assert response.status_code == 404 and "__Host-refresh" not in response.cookies

    @pytest.mark.parametrize(("url", "shown"), [("/guarded/", b"bob"), ("/address/", b"bob@example.org")])
    def test_a_guarded_page_and_what_no_token_says_cost_one_query(
        self, bob, signed_in, django_assert_num_queries, url, shown
    ):
        browser = signed_in(bob)
        with django_assert_num_queries(1):
            assert browser.get(url).content == shown


class TestUnavailable:
    """The database cannot be asked: no wrong answer, and no cookie lost."""

    def test_a_refresh_gets_503_and_keeps_its_cookies_and_the_log_says_why(self, bob, signed_in, name_on, caplog):
        browser = signed_in(bob)
        elapse(EXPIRED, browser)
        with gone():
            response = browser.get("/who/")
        assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
        assert not response.cookies
        assert "the server has gone" in caplog.text
        assert name_on(browser) == "bob"

    def test_access_tokens_go_on_for_the_grace_and_then_get_503(self, bob, signed_in, name_on, settings):
        settings.TOKENS_REVOCATION_LAG = 0
        browser = signed_in(bob)
        assert name_on(browser) == "bob"
        with gone():
            assert name_on(browser) == "bob"
            settings.TOKENS_REVOCATION_GRACE = 0  # a new setting makes a process that has never read
            assert browser.get("/who/").status_code == 503
        assert name_on(browser) == "bob"

    @pytest.fixture
    def no_row_is_found(self, monkeypatch):
        """The database goes away after the page is made, when the row is asked for on the way out."""

        def refuse(rows, sid):
            raise OperationalError("the server has gone")

        monkeypatch.setattr(RefreshTokenManager, "is_live", refuse)

    def test_a_page_that_is_made_is_answered_without_cookies(self, bob, signed_in, request, name_on):
        browser = signed_in(bob)
        elapse(EXPIRED, browser)
        request.getfixturevalue("no_row_is_found")
        response = browser.get("/who/")
        assert response.content == b"bob" and not response.cookies
        assert name_on(browser) == "bob"

    def test_a_sign_in_that_cannot_be_looked_after_sets_no_cookies_of_ours(self, bob, no_row_is_found):
        response = Client().post("/log-in/", {"username": "bob", "password": PASSWORD})
        assert response.status_code == 200 and "__Host-access" not in response.cookies

    def test_an_anonymous_visitor_notices_nothing(self, db):
        with gone():
            assert Client().get("/who/").content == b"nobody"


class TestVanished:
    """The person was deleted behind Django's back."""

    @pytest.fixture
    def visitor(self, bob, signed_in):
        visitor = signed_in(bob)
        RefreshToken.objects.update(user=None)
        SecurityEvent.objects.all()._raw_delete("default")
        get_user_model().objects.filter(pk=bob.pk)._raw_delete("default")
        return visitor

    def test_the_visitor_becomes_anonymous_without_an_error(self, visitor, name_on):
        response = visitor.get("/address/?x=1")
        assert (response.status_code, response.headers["Location"]) == (303, "/address/?x=1")
        assert visitor.get("/address/?x=1").content == b"nobody"
        assert RefreshToken.objects.get().reason == Reason.DELETED

    def test_even_if_the_row_has_gone_too(self, visitor):
        RefreshToken.objects.all().delete()
        assert visitor.get("/address/").status_code == 303
        assert visitor.get("/address/").content == b"nobody"

    def test_and_so_in_an_async_view(self, visitor):
        client = AsyncClient()
        client.cookies = visitor.cookies
        assert asyncio.run(client.get("/who-async/")).content == b"nobody"


class TestAsync:
    def test_a_refresh_happens_before_an_async_view_which_awaits_the_person(self, transactional_db, bob):
        visitor = AsyncClient()
        visitor.force_login(bob)
        elapse(EXPIRED, visitor)
        response = asyncio.run(visitor.get("/who-async/"))
        assert response.content == b"bob bob@example.org"
        assert "__Host-refresh" in response.cookies

    @pytest.fixture
    def threads(self, monkeypatch):
        """What of ours left the event loop, by name; Django's handler does for its signals."""
        left = []
        monkeypatch.delenv("DJANGO_ALLOW_ASYNC_UNSAFE", raising=False)  # which tests with a browser set
        call = SyncToAsync.__call__

        async def counted(self, *args, **kwargs):
            left.append(getattr(self.func, "func", self.func).__name__)
            return await call(self, *args, **kwargs)

        monkeypatch.setattr(SyncToAsync, "__call__", counted)
        return left

    def test_a_good_access_token_needs_no_thread(self, transactional_db, bob, settings, threads):
        settings.MIDDLEWARE = ["tokens.middleware.TokenMiddleware", "tokens.middleware.LoginRequiredMiddleware"]
        settings.TOKENS_REVOCATION_LAG = 3600
        visitor = AsyncClient()
        visitor.force_login(bob)

        def threads_of_a_request():
            threads.clear()
            assert asyncio.run(visitor.get("/name-async/")).content == b"bob"
            return [name for name in threads if name.startswith("process")]

        assert threads_of_a_request() == ["process_view"]  # which reads the revocation list
        assert threads_of_a_request() == []
        elapse(EXPIRED, visitor)
        assert threads_of_a_request() == ["process_view", "process_response"]

    def test_a_revocation_list_that_is_due_this_very_moment_is_read_in_a_thread(
        self, transactional_db, bob, settings, threads, monkeypatch
    ):
        def due_afterwards(session):
            found = needs_no_database(session)
            local_revocation_list._current_until = float("-inf")
            return found

        settings.MIDDLEWARE = ["tokens.middleware.TokenMiddleware", "tokens.middleware.LoginRequiredMiddleware"]
        settings.TOKENS_REVOCATION_LAG = 1
        visitor = AsyncClient()
        visitor.force_login(bob)
        asyncio.run(visitor.get("/name-async/"))
        RefreshToken.objects.update(revoked_at=timezone.now(), changed_at=timezone.now())
        monkeypatch.setattr(middleware, "needs_no_database", due_afterwards)
        local_revocation_list._tried_at -= 1
        assert asyncio.run(visitor.get("/name-async/")).status_code == 302

    def test_signing_in_and_out_in_async_code(self, transactional_db, bob):
        async def journey():
            client = AsyncClient()
            form = {"username": "bob", "password": PASSWORD}
            return [
                (await client.post("/log-in/", form)).content,
                (await client.get("/who-async/")).content,
                (await client.post("/log-out/")).content,
                (await client.get("/who-async/")).content,
            ]

        assert asyncio.run(journey()) == [b"bob", b"bob bob@example.org", b"bye", b"nobody"]


class TestProcessResponse:
    def test_what_a_view_says_of_caches_stands_unless_they_could_hold_what_is_of_one_visitor(
        self, bob, signed_in, settings
    ):
        settings.MIDDLEWARE = [
            "django.contrib.sessions.middleware.SessionMiddleware",
            "tokens.middleware.TokenMiddleware",
        ]
        browser, visitor, returning = signed_in(bob), Client(), signed_in(bob)
        elapse(EXPIRED, returning)
        for response, cached, varies in (
            (visitor.get("/shared/"), "public, max-age=3600", None),
            (browser.get("/shared/"), "public, max-age=3600", None),
            (returning.get("/shared/"), "private, no-store", "Cookie"),  # it brings new tokens
            (visitor.get("/shared/?look"), "public, max-age=3600", "Cookie"),
            (browser.get("/shared/?look"), "private, no-store", "Cookie"),
            (browser.get("/shared/?stream"), "private, no-store", None),  # nobody knows what it will look at
            (browser.get("/kept/"), "private, max-age=60", "Cookie"),
            (browser.post("/log-out/"), "private, no-store", "Cookie"),
        ):
            assert (response.headers["Cache-Control"], response.headers.get("Vary")) == (cached, varies)

    def test_a_sign_in_that_was_rolled_back_changes_nothing(self, transactional_db, bob, signed_in, name_on):
        client = signed_in(bob)
        before = jar(client)
        response = client.post("/rolls-back/", {"username": "bob", "password": PASSWORD})
        assert response.status_code == 409
        assert jar(client) == before  # no cookies of a row that is not there, and the sign-in of before goes on
        assert name_on(client, "/guarded/") == "bob"

    def test_a_sign_out_that_was_rolled_back_ends_what_the_browser_loses(self, transactional_db, bob, signed_in):
        client = signed_in(bob)
        assert client.post("/rolls-back/").status_code == 409
        assert not client.cookies["__Host-access"].value
        assert not RefreshToken.objects.live().exists()

    def test_a_theft_stays_found_though_the_view_rolls_back(self, transactional_db, bob, signed_in, settings):
        connection.settings_dict["ATOMIC_REQUESTS"] = True
        try:
            browser = signed_in(bob)
            old = left_behind(browser, url="/who/")
            del old.cookies["__Host-access"]
            old.raise_request_exception = False
            assert old.get("/boom/", follow=True).status_code == 500
            assert old.get("/who/").content == b"nobody"
        finally:
            connection.settings_dict["ATOMIC_REQUESTS"] = False
        assert RefreshToken.objects.get().reason == Reason.REUSED


class TestCookieModes:
    def test_without_tls_the_prefix_goes(self, bob, settings, name_on):
        settings.TOKENS_COOKIE_SECURE = False
        client = Client()
        client.post("/log-in/", {"username": "bob", "password": PASSWORD})
        assert {"access", "refresh"} <= client.cookies.keys() and "__Host-access" not in client.cookies
        assert name_on(client) == "bob"

    def test_cookies_of_the_other_mode_are_nobodys(self, bob, signed_in, name_on):
        client = signed_in(bob)
        for kind, token in jar(client).items():
            client.cookies[kind] = token
        del client.cookies["__Host-access"], client.cookies["__Host-refresh"]
        assert name_on(client) == "nobody"
