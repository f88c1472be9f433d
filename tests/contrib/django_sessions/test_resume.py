"""Old sessions of `django.contrib.sessions` become sign-ins. tests/third_party does it with those of a real site."""

from datetime import timedelta

import pytest
from django.conf import settings as live
from django.contrib.auth import BACKEND_SESSION_KEY
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts.models import OutgoingMail
from tests.contrib.django_sessions.conftest import OLD, either_way
from tests.tokens.clock import copy_of, elapse
from tests.tokens.racing import together
from tokens.contrib import django_sessions
from tokens.models import RefreshToken
from tokens.testing import Client

pytestmark = pytest.mark.urls("tests.tokens.urls")

Method, Reason = RefreshToken.Method, RefreshToken.Reason


class TestResume:
    @either_way
    def test_an_old_session_becomes_a_sign_in_and_is_over(self, bob, old, name_on):
        browser = old(bob)
        response = browser.get("/closed/")
        assert response.content == b"bob GET "
        assert {"__Host-access", "__Host-refresh"} <= response.cookies.keys()
        assert response.cookies[OLD]["max-age"] == 0
        assert "Cookie" in response.headers["Vary"] and response.headers["Cache-Control"] == "private, no-store"
        assert not Session.objects.exists()
        row = RefreshToken.objects.get()
        assert (row.user, row.method, row.remember, row.authenticated_at) == (bob, Method.MOVED, True, None)
        del browser.cookies[OLD]
        for _ in range(3):
            elapse(1000, browser)
            assert name_on(browser) == "bob"
        assert RefreshToken.objects.count() == 1

    def test_nobody_has_logged_in(self, bob, old):
        """No mail of a new browser, and no link to a new password that would be void."""
        old(bob).get("/who/")
        bob.refresh_from_db()
        assert bob.last_login is None
        assert not OutgoingMail.objects.exists()

    def test_a_session_that_ended_with_the_browser_does_so_still(self, bob, old):
        response = old(bob, _session_expiry=0).get("/who/")
        assert response.cookies["__Host-refresh"]["max-age"] == ""
        assert not RefreshToken.objects.get().remember

    @either_way
    @pytest.mark.parametrize("says", [{"_session_expiry": 3600}, {}])
    def test_a_short_session_stays_short(self, bob, old, settings, says):
        if not says:
            settings.SESSION_COOKIE_AGE = 3600
        old(bob, **says).get("/who/")
        row = RefreshToken.objects.get()
        assert (row.expires_at - row.created_at).total_seconds() == 3600

    def test_it_costs_a_query_or_two_for_a_cookie_that_signs_nobody_in(self, old, client, django_assert_num_queries):
        anonymous, forged = old(basket="apples"), Client()
        forged.cookies[OLD] = "a" * 32
        for browser, cost in ((client, 0), (anonymous, 1), (forged, 2)):
            with django_assert_num_queries(cost):
                assert browser.get("/who/").content == b"nobody"

    def test_it_costs_nothing_beside_a_good_sign_in(self, bob, old, signed_in, django_assert_num_queries):
        browser = signed_in(bob)
        browser.cookies[OLD] = old(bob).cookies[OLD].value
        browser.get("/who/")  # asks what is revoked
        with django_assert_num_queries(0):
            assert browser.get("/who/").content == b"bob"

    def test_while_it_is_off_nobody_looks(self, bob, old, settings, django_assert_num_queries):
        settings.TOKENS_ADOPT_SESSIONS = ""
        browser = old(bob)
        with django_assert_num_queries(0):
            assert browser.get("/who/").content == b"nobody"

    @either_way
    def test_a_post_goes_through_and_its_form_is_still_good(self, bob, old):
        browser = old(bob)
        browser.handler.enforce_csrf_checks = True
        token = "a" * 32
        browser.cookies[live.CSRF_COOKIE_NAME] = token
        response = browser.post("/closed/", {"text": "hello", "csrfmiddlewaretoken": token})
        assert response.content == b"bob POST hello"
        assert live.CSRF_COOKIE_NAME not in response.cookies

    def test_a_page_for_machines_one_by_bearer_and_one_that_is_not_found_take_up_nothing(self, bob, old):
        assert old(bob).get("/machine/").content == b"nobody"
        assert old(bob).get("/who/", headers={"authorization": "bearer of.a.token"}).content == b"nobody"
        assert old(bob).get("/nowhere/").status_code == 404
        assert Session.objects.exists() and not RefreshToken.objects.exists()

    def test_an_async_view_has_the_person(self, bob, old):
        assert old(bob).get("/who-async/").content.decode() == f"bob {bob.email}"


class TestRefusals:
    def test_a_forged_an_expired_and_a_doubled_key(self, bob, old, client):
        client.cookies[OLD] = "a" * 32
        assert client.get("/who/").content == b"nobody"
        expired = old(bob)
        Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
        assert expired.get("/who/").content == b"nobody"
        key = old(bob).cookies[OLD].value
        doubled = f"{OLD}={key}; {OLD}={key}"
        assert client.get("/who/", headers={"cookie": doubled}).content == b"nobody"
        assert not RefreshToken.objects.exists()

    def test_one_of_before_another_password_or_by_a_backend_that_the_site_has_no_more(self, bob, old):
        browsers = [old(bob), old(bob, **{BACKEND_SESSION_KEY: "gone.Backend"})]
        assert browsers.pop().get("/who/").content == b"nobody"
        bob.set_password("another password")
        bob.save()
        assert browsers.pop().get("/who/").content == b"nobody"

    def test_one_of_a_person_who_was_deactivated_or_deleted(self, alice, bob, old):
        browsers = [old(alice), old(bob)]
        type(bob).objects.filter(pk=bob.pk).update(is_active=False)
        alice.delete()
        assert [browser.get("/who/").content for browser in browsers] == [b"nobody"] * 2

    def test_one_signed_with_a_fallback_key_is_good(self, bob, old, settings, name_on):
        browser = old(bob)
        settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another secret, as long as needed"
        assert browser.get("/who/").content == b"bob"
        assert not Session.objects.exists()
        assert name_on(browser) == "bob"

    @either_way
    def test_an_anonymous_session_is_left_as_it_is(self, old, kept):
        browser = old(basket="apples")
        assert browser.get("/basket/").content == (b"apples" if kept == "own" else b"empty")
        assert Session.objects.exists() and not RefreshToken.objects.exists()
        assert browser.cookies[OLD].value


class TestTwoAtOnce:
    @pytest.mark.django_db(transaction=True)
    def test_tabs_get_siblings_of_one_sign_in(self, bob, old, name_on):
        browser = old(bob, basket="apples")
        tabs = [copy_of(browser) for _ in range(6)]
        assert together([lambda t=tab: t.get("/who/").content for tab in tabs]) == [b"bob"] * 6
        row = RefreshToken.objects.get()
        assert row.generation == 1
        elapse(200, *tabs)
        assert name_on(tabs[3]) == "bob"
        row.refresh_from_db()
        assert row.generation == 2

    def test_a_lost_response_costs_nobody_the_sign_in(self, bob, old, name_on):
        browser = old(bob)
        for seconds in (1, 3600, 24 * 3600):
            lost = copy_of(browser)
            assert lost.get("/who/").content == b"bob"
            elapse(seconds)
        assert name_on(browser) == "bob"
        assert RefreshToken.objects.count() == 1

    @either_way
    def test_a_second_tab_does_not_take_away_what_the_first_has_set(self, bob, old, kept):
        browser = old(bob, basket="apples")
        tab = copy_of(browser)
        browser.get("/who/")
        assert (OLD in tab.get("/basket/").cookies) is (kept == "foreign")

    def test_a_key_is_over_once_its_browser_has_settled(self, bob, old):
        browser = old(bob)
        thief = copy_of(browser)
        browser.get("/who/")
        elapse(200, browser)
        assert browser.get("/who/").content == b"bob"
        assert thief.get("/who/").content == b"nobody"

    def test_a_thief_who_took_it_up_beside_its_owner_is_found(self, bob, old):
        browser = old(bob)
        thief = copy_of(browser)
        for jar in (thief, browser):
            jar.get("/who/")
        elapse(200, browser, thief)
        assert browser.get("/who/").content == b"bob"
        elapse(1000, browser, thief)
        assert thief.get("/who/", follow=True).content == b"nobody"
        assert RefreshToken.objects.get().reason == Reason.REUSED

    def test_a_key_that_nobody_came_back_with_is_over_after_the_idle_lifetime(self, bob, old):
        browser = old(bob)
        copy_of(browser).get("/who/")
        elapse(8 * 24 * 3600)
        assert browser.get("/who/").content == b"nobody"


def test_the_id_of_a_row_cannot_be_guessed_from_the_key_of_a_session(settings):
    ids = set()
    for settings.SECRET_KEY in ("a secret of this site, as long as it has to be", "the secret of another site"):
        ids |= set(django_sessions._ids("the key"))
    assert len(ids) == 2
