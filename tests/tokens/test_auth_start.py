"""A session starts: the row that a sign-in makes, its cookies, and what else has to go for it."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.conf import settings as live_settings
from django.contrib.auth import get_user_model, login
from django.contrib.auth.signals import user_logged_in
from django.utils import timezone

from tests.conftest import PASSWORD
from tests.tokens.clock import EXPIRED, copy_of, elapse, jar
from tokens import verification
from tokens.models import RefreshToken
from tokens.testing import Client

Reason = RefreshToken.Reason
Method = RefreshToken.Method

pytestmark = pytest.mark.urls("tests.tokens.urls")


class TestStart:
    @pytest.mark.parametrize(("address", "recorded"), [("203.0.113.7", "203.0.113.7"), ("", None)])
    def test_makes_a_row_that_says_from_where(self, bob, address, recorded):
        client = Client(headers={"user-agent": "Lynx/2.9\x07 (text)"}, REMOTE_ADDR=address)
        client.post("/log-in/", {"username": "bob", "password": PASSWORD})
        row = RefreshToken.objects.get()
        assert (row.user, row.method, row.is_app) == (bob, Method.PASSWORD, False)
        assert (row.user_agent, row.ip_address) == ("Lynx/2.9 (text)", recorded)

    def test_gives_a_day_and_cookies_of_the_browser_unless_kept(self, visitor):
        row = RefreshToken.objects.get()
        assert row.expires_at - row.created_at == timedelta(days=1)
        named = {"__Host-access", "__Host-refresh", "__Host-reauth"}
        assert set(visitor.cookies) - {live_settings.CSRF_COOKIE_NAME} == named
        assert {visitor.cookies[name]["max-age"] for name in ("__Host-access", "__Host-refresh")} == {""}

    def test_gives_thirty_days_and_a_refresh_cookie_that_stays_where_kept(self, bob, signed_in):
        browser = signed_in(bob, remember="on")
        row = RefreshToken.objects.get()
        assert row.expires_at - row.created_at == timedelta(days=30)
        assert browser.cookies["__Host-access"]["max-age"] == ""
        assert browser.cookies["__Host-refresh"]["max-age"] > 6 * 24 * 3600

    def test_ends_the_sign_in_whose_cookies_came_along(self, told, visitor, name_on):
        first, old = RefreshToken.objects.get(), copy_of(visitor)
        visitor.post("/log-in/", {"username": "bob", "password": PASSWORD})
        first.refresh_from_db()
        assert first.reason == Reason.REPLACED
        assert [name_on(old), name_on(visitor)] == ["nobody", "bob"]
        assert [name for name, _ in told] == ["session_started", "session_started", "session_ended"]

    def test_is_for_login_alone_and_not_for_an_api_that_tells_of_tokens_of_its_own(self, visitor, alice, name_on):
        """As django-rest-knox and djoser do, whose client may be a page in a browser that is signed in."""

        def api(request):
            user_logged_in.send(type(alice), request=request, user=alice)

        visitor._pass(api)
        assert name_on(visitor) == "bob"
        alice.refresh_from_db()
        assert alice.last_login and RefreshToken.objects.get().user.username == "bob"

    def test_leaves_no_row_of_the_one_that_the_same_request_has_just_opened(self, bob, name_on):
        client = Client()

        def twice(request):
            for _ in range(2):
                login(request, bob, live_settings.AUTHENTICATION_BACKENDS[0])

        client._pass(twice)
        assert RefreshToken.objects.get().is_live
        assert name_on(client, "/guarded/") == "bob"

    def test_ends_even_one_whose_tokens_are_old(self, visitor):
        stale = copy_of(visitor)
        elapse(EXPIRED, visitor, stale)
        visitor.get("/who/")
        elapse(EXPIRED, visitor, stale)
        visitor.get("/who/")
        stale.post("/log-in/", {"username": "bob", "password": PASSWORD})
        assert set(RefreshToken.objects.values_list("reason", flat=True)) == {Reason.REPLACED, ""}

    def test_keeps_what_a_view_stores_in_the_session_but_no_credentials(self, bob, signed_in):
        browser = signed_in(bob, store="apples")
        assert dict(browser.session.items()) == {"basket": "apples", "_tokens_sub": str(bob.pk)}
        assert browser.get("/basket/").content == b"apples"

    def test_flushes_the_session_of_somebody_else_even_if_their_own_cookies_are_gone(self, alice, bob, signed_in):
        browser = signed_in(bob, store="apples")
        del browser.cookies["__Host-access"], browser.cookies["__Host-refresh"]
        browser.post("/log-in/", {"username": "alice", "password": PASSWORD})
        assert browser.get("/basket/").content == b"empty"

    def test_stamps_the_last_login_which_kills_reset_links(self, bob, signed_in):
        signed_in(bob)
        bob.refresh_from_db()
        assert bob.last_login is not None

    def test_takes_a_person_as_they_are_now(self, bob):
        stale = get_user_model().objects.get(pk=bob.pk)
        get_user_model().objects.filter(pk=bob.pk).update(is_staff=True)
        client = Client()
        client.force_login(stale)
        claims = verification.verify_access(jar(client)["access"]).user
        assert {"username": "bob", "is_staff": True}.items() <= claims.items()

    @pytest.mark.parametrize("change", [{"is_active": False}, {"password": "argon2$another"}])
    def test_refuses_a_person_who_has_changed_since_they_were_let_in(self, bob, name_on, change):
        stale = get_user_model().objects.get(pk=bob.pk)
        get_user_model().objects.filter(pk=bob.pk).update(**change)
        client = Client()
        client.force_login(stale)
        assert not RefreshToken.objects.exists()
        assert name_on(client) == "nobody"

    def test_lets_the_longest_idle_go_when_there_are_too_many(self, bob, signed_in, settings, name_on):
        settings.TOKENS_MAX_SESSIONS = 2
        first = signed_in(bob)
        elapse(7200, first)
        second = signed_in(bob)
        elapse(7200, first, second)
        assert name_on(first) == "bob"  # seen now: the second is idle longest
        signed_in(bob)
        assert [name_on(first), name_on(second)] == ["bob", "nobody"]
        assert list(RefreshToken.objects.exclude(reason="").values_list("reason", flat=True)) == [Reason.EVICTED]

    def test_lets_no_session_in_use_go_however_often_a_thief_signs_in(self, bob, settings):
        """The owner's stamp lags, and the thief's is newer."""
        rows = {}
        for name, generation, used, created in (
            ("idle", 2, 180, 1500),
            ("owner's", 2, 70, 500),
            ("thief's", 2, 1, 60),
            ("left at once", 1, 20, 20),
            ("newest", 1, 0, 0),
        ):
            row, now = RefreshToken.objects.start(bob), timezone.now()
            row.generation, rows[row.pk] = generation, name
            row.last_used_at, row.created_at = now - timedelta(minutes=used), now - timedelta(minutes=created)
            row.save(update_fields=["generation", "last_used_at", "created_at"])

        def left(limit):
            settings.TOKENS_MAX_SESSIONS = limit
            RefreshToken.objects.start(bob)
            live = set(RefreshToken.objects.live().values_list("pk", flat=True))
            assert len(live) == limit
            return [name for pk, name in rows.items() if pk in live]

        assert left(5) == ["idle", "owner's", "thief's", "newest"]
        assert [left(4) for _ in range(20)] == [["idle", "owner's", "thief's"]] * 20
        assert [left(3), left(2)] == [["owner's", "thief's"], ["owner's"]]

    def test_lets_browsers_go_for_browsers_and_apps_for_apps(self, bob, settings):
        settings.TOKENS_MAX_SESSIONS = 2
        for is_app in (False, False, True, True, True, False):
            RefreshToken.objects.start(bob, is_app=is_app)
        rows = RefreshToken.objects.order_by("created_at").values_list("is_app", "reason")
        gone = Reason.EVICTED
        assert list(rows) == [(False, gone), (False, ""), (True, gone), (True, ""), (True, ""), (False, "")]

    def test_lets_nobody_go_for_one_that_is_replaced(self, bob, signed_in, settings):
        settings.TOKENS_MAX_SESSIONS = 2
        signed_in(bob)
        signed_in(bob).post("/log-in/", {"username": "bob", "password": PASSWORD})
        assert sorted(RefreshToken.objects.values_list("reason", flat=True)) == ["", "", Reason.REPLACED]

    def test_prunes_rows_that_ended_long_ago(self, bob, signed_in):
        """A hundred of them: nobody who signs in waits for more."""
        ended = {"user": bob, "expires_at": timezone.now() - timedelta(days=8)}
        times = {"created_at": ended["expires_at"], "last_used_at": ended["expires_at"]}
        RefreshToken.objects.bulk_create(RefreshToken(jti=uuid4(), **ended, **times) for _ in range(101))
        signed_in(bob)
        assert RefreshToken.objects.count() == 2
