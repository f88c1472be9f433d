"""An old session is over once its sign-in has been taken over, and what it held goes on."""

import pytest
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import OperationalError

from tests.conftest import PASSWORD
from tests.contrib.django_sessions.conftest import DATABASE, OLD, SIGNED, either_way
from tests.tokens.clock import copy_of, elapse
from tokens.models import RefreshToken

pytestmark = pytest.mark.urls("tests.tokens.urls")


class TestSettle:
    @either_way
    def test_what_the_session_held_goes_on_under_another_key(self, bob, old, kept):
        browser = old(bob, basket="apples")
        before = browser.cookies[OLD].value
        response = browser.get("/basket/")
        assert response.content == (b"apples" if kept == "own" else b"empty")
        assert not Session.objects.filter(pk=before).exists()
        if kept == "own":
            assert browser.cookies[OLD].value != before
            assert browser.get("/basket/").content == b"apples"
            assert SESSION_KEY not in Session.objects.get().get_decoded()

    @pytest.mark.parametrize("data", [{}, {"basket": "apples"}])
    def test_a_view_that_fails_leaves_it_as_it_was(self, bob, old, data):
        browser = old(bob, **data)
        browser.raise_request_exception = False
        response = browser.get("/boom/")
        assert response.status_code == 500 and not response.cookies
        assert Session.objects.exists()
        assert browser.get("/who/").content == b"bob"
        assert RefreshToken.objects.count() == 1

    def test_a_response_that_leaves_too_late_leaves_it_as_it_was(self, bob, old, settings):
        settings.TOKENS_CONFIRM_AFTER = 0.1
        browser = old(bob, basket="apples")
        assert not browser.get("/slow/?seconds=0.1").cookies
        assert Session.objects.exists()
        settings.TOKENS_CONFIRM_AFTER = 120
        assert browser.get("/who/").content == b"bob"

    def test_a_session_that_cannot_be_ended_fails_no_page(self, bob, old, monkeypatch, caplog):
        def away(*_):
            raise OperationalError

        monkeypatch.setattr(f"{DATABASE}.SessionStore.delete", away)
        assert old(bob).get("/who/").content == b"bob"
        assert "An old session could not be ended." in caplog.messages

    @either_way
    @pytest.mark.parametrize("asks", [True, False])
    def test_signing_out_ends_it(self, bob, old, asks):
        browser = old(bob)
        copy = copy_of(browser)
        if asks:
            copy_of(browser).get("/who/")  # a response that was lost
        browser.post("/log-out/")
        assert not Session.objects.exists()
        assert copy.get("/who/").content == b"nobody"
        assert not RefreshToken.objects.live().exists()

    def test_signing_out_beside_a_good_sign_in_ends_it(self, bob, old, signed_in):
        browser = signed_in(bob)
        browser.cookies[OLD] = (copy := old(bob)).cookies[OLD].value
        browser.post("/log-out/")
        assert copy.get("/who/").content == b"nobody"

    @either_way
    @pytest.mark.parametrize("asks", [True, False])
    def test_signing_in_ends_it(self, alice, bob, old, asks):
        browser = old(bob, basket="apples")
        copy = copy_of(browser)
        if asks:
            copy_of(browser).get("/who/")  # a response that was lost
        looks = {"look": "first"} if asks else {}
        browser.post("/log-in/", {"username": "alice", "password": PASSWORD, **looks})
        assert browser.get("/who/").content == b"alice"
        assert browser.get("/basket/").content == b"empty"
        assert copy.get("/who/").content == b"nobody"
        assert [row.user for row in RefreshToken.objects.live()] == [alice]


class TestSignedCookies:
    @either_way
    def test_what_no_server_can_end_is_taken_up_once(self, bob, old, settings, kept):
        settings.TOKENS_ADOPT_ENGINE = SIGNED
        if kept == "own":
            settings.SESSION_ENGINE = SIGNED
        browser = old(bob, engine=SIGNED)
        copy = copy_of(browser)
        assert browser.get("/who/").content == b"bob"
        elapse(200, browser)
        assert browser.get("/who/").content == b"bob"
        settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another secret, as long as needed"
        assert copy.get("/who/").content == b"nobody"
        assert RefreshToken.objects.count() == 1

    def test_a_row_that_has_ended_is_kept_as_long_as_the_site_moves(self, bob, old, settings):
        settings.SESSION_ENGINE = SIGNED
        settings.SESSION_EXPIRE_AT_BROWSER_CLOSE = True
        browser = old(bob, engine=SIGNED)
        copy = copy_of(browser)
        browser.get("/who/")
        browser.post("/log-out/")
        elapse(10 * 24 * 3600)
        call_command("cleartokens")
        RefreshToken.objects.start(bob)
        assert copy.get("/who/").content == b"nobody"
