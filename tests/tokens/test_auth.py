"""A session from its start to its end, seen from outside: by a client's cookies and the rows."""

import logging
from time import monotonic
from unittest import mock

import pytest
from django.conf import settings as live_settings
from django.contrib.auth import HASH_SESSION_KEY, get_user_model
from django.db import OperationalError
from django.utils import timezone

from tests.conftest import PASSWORD
from tests.proxy_models.models import Colleague
from tests.tokens.clock import EXPIRED, SETTLED, copy_of, elapse, jar
from tests.tokens.outage import failing_at
from tokens import auth, signals, verification
from tokens.models import RefreshToken
from tokens.testing import Client

Reason = RefreshToken.Reason
Method = RefreshToken.Method

pytestmark = pytest.mark.urls("tests.tokens.urls")


@pytest.fixture
def siblings(visitor, name_on):
    """Two copies of one jar that have both refreshed, and whose new tokens have settled."""
    elapse(EXPIRED, visitor)
    pair = copy_of(visitor), copy_of(visitor)
    assert [name_on(each) for each in pair] == ["bob", "bob"]
    elapse(SETTLED, *pair)
    return pair


def late():
    """Within it, responses leave 41 seconds after their tokens were made: over a third of TOKENS_CONFIRM_AFTER."""
    return mock.patch.object(auth, "monotonic", lambda: monotonic() + 41)


def cookies_set(response):
    return {name for name in response.cookies if "access" in name or "refresh" in name}


class TestAuthenticate:
    def test_a_refresh_token_alone_is_enough(self, visitor, name_on):
        del visitor.cookies["__Host-access"]
        assert name_on(visitor) == "bob"
        assert jar(visitor).keys() == {"access", "refresh"}

    def test_a_young_child_keeps_its_refresh_cookie(self, visitor):
        elapse(EXPIRED, visitor)
        visitor.get("/who/")
        child = jar(visitor)["refresh"]
        del visitor.cookies["__Host-access"]
        response = visitor.get("/who/")
        assert cookies_set(response) == {"__Host-access"}
        assert jar(visitor)["refresh"] == child
        assert verification.verify_access(jar(visitor)["access"]).new

    def test_a_child_that_was_not_refreshed_for_long_is_confirmed_by_its_refresh(self, visitor, name_on):
        for generation in (1, 2, 3):
            elapse(EXPIRED, visitor)
            assert name_on(visitor) == "bob"
            assert RefreshToken.objects.get().generation == generation

    def test_a_mark_of_a_new_generation_goes_with_its_confirmation_and_nothing_else_changes(self, visitor):
        elapse(EXPIRED, visitor)
        visitor.get("/who/")
        elapse(SETTLED, visitor)
        before, refresh = verification.verify_access(jar(visitor)["access"]), jar(visitor)["refresh"]
        visitor.get("/who/")
        after = verification.verify_access(jar(visitor)["access"])
        assert jar(visitor)["refresh"] == refresh
        assert (before.new, after.new) == (True, False)
        for name in ("sub", "sid", "rti", "gen", "ver", "iat", "exp", "user"):
            assert getattr(after, name) == getattr(before, name)

    def test_what_is_confirmed_takes_the_place_of_a_sibling_that_came_late(self, bob, signed_in, name_on):
        """A request that confirms was under way when an older one's response put a sibling into the jar."""
        browser = signed_in(bob, remember="on")
        elapse(EXPIRED, browser)
        under_way, late = copy_of(browser), copy_of(browser)
        assert [name_on(under_way), name_on(late)] == ["bob", "bob"]
        elapse(SETTLED, browser, under_way, late)
        browser.cookies = late.cookies
        response = under_way.get("/who/")
        browser.cookies.update(response.cookies)
        assert response.cookies["__Host-refresh"]["max-age"] == pytest.approx(604620, abs=5)
        elapse(EXPIRED, browser)
        assert name_on(browser) == "bob"
        assert RefreshToken.objects.get().is_live

    def test_a_new_token_beside_another_refresh_cookie_counts_as_expired(self, siblings, name_on):
        one, other = siblings
        mixed = copy_of(one)
        mixed.cookies["__Host-refresh"] = jar(other)["refresh"]
        assert name_on(mixed) == "bob"  # by the refresh token, which is confirmed
        assert str(RefreshToken.objects.get().jti) == verification.verify_refresh(jar(other)["refresh"]).jti

    def test_a_new_token_alone_is_taken_and_writes_nothing_until_its_sibling_is_confirmed(self, siblings, name_on):
        one, other = siblings
        del other.cookies["__Host-refresh"]
        response = other.get("/who/")
        assert response.content == b"bob" and not cookies_set(response)
        assert RefreshToken.objects.get().generation == 1
        assert name_on(one) == "bob"
        assert name_on(other) == "nobody"

    def test_a_database_that_lost_writes_signs_nobody_out_and_the_log_says_so(self, visitor, name_on, caplog):
        for _ in range(4):
            elapse(EXPIRED, visitor)
            assert name_on(visitor) == "bob"
        RefreshToken.objects.update(generation=1)
        elapse(EXPIRED, visitor)
        with caplog.at_level(logging.WARNING, "tokens"):
            assert name_on(visitor) == "bob"
        assert caplog.messages == ["The database was behind a refresh token: it has lost writes."]

    def test_a_change_of_role_counts_at_the_next_request_and_nothing_rotates(self, visitor, bob):
        before = verification.verify_access(jar(visitor)["access"])
        bob.is_staff = True
        bob.save()
        response = visitor.get("/who/")
        after = verification.verify_access(jar(visitor)["access"])
        assert cookies_set(response) == {"__Host-access"}
        assert (before.user["is_staff"], after.user["is_staff"]) == (False, True)
        assert (after.ver, after.iat, after.exp, after.rti) == (1, before.iat, before.exp, before.rti)

    def test_a_save_of_nothing_that_tokens_say_costs_nobody_anything(self, bob, signed_in):
        signed_in(bob)
        bob.save(update_fields=["first_name"])
        assert RefreshToken.objects.get().version == 0

    def test_the_absolute_end_holds_however_often_it_is_refreshed(self, bob, signed_in, name_on):
        browser = signed_in(bob, remember="on")
        for _ in range(9):
            elapse(3 * 24 * 3600, browser)
            assert name_on(browser) == "bob"
        elapse(3 * 24 * 3600 - 60, browser)
        assert name_on(browser) == "bob"
        end = RefreshToken.objects.get().expires_at.timestamp()
        assert verification.verify_refresh(jar(browser)["refresh"]).exp <= end
        assert verification.verify_access(jar(browser)["access"]).exp <= end
        elapse(120, browser)
        assert name_on(browser) == "nobody"

    def test_a_row_that_has_ended_is_over_whatever_its_tokens_say(self, visitor, name_on):
        RefreshToken.objects.update(expires_at=timezone.now())
        assert name_on(visitor, "/guarded/") == "nobody"

    def test_the_idle_end_holds_and_deletes_no_cookies(self, bob, signed_in):
        browser = signed_in(bob, remember="on")
        elapse(7 * 24 * 3600 + 1, browser)
        response = browser.get("/who/")
        assert response.content == b"nobody" and not response.cookies

    def test_lifetimes_can_be_shortened(self, bob, signed_in, name_on, settings):
        browser = signed_in(bob, remember="on")
        elapse(600, browser)
        settings.TOKENS_ACCESS_LIFETIME = 300
        response = browser.get("/who/")
        assert response.content == b"bob" and cookies_set(response)
        elapse(600, browser)
        settings.TOKENS_IDLE_LIFETIME = 500
        assert name_on(browser) == "nobody"

    @pytest.mark.parametrize(
        ("change", "reason"),
        [({"is_active": False}, Reason.DEACTIVATED), ({"password": "argon2$another"}, Reason.PASSWORD)],
    )
    def test_a_change_that_sent_no_signal_counts_when_the_row_is_read(self, visitor, bob, name_on, change, reason):
        get_user_model().objects.update(**change)
        assert name_on(visitor, "/guarded/") == "nobody"
        assert RefreshToken.objects.get().reason == reason
        get_user_model().objects.update(is_active=True, password=bob.password)
        assert name_on(visitor, "/guarded/") == "nobody"

    def test_a_new_secret_key_signs_nobody_out_while_the_old_one_is_a_fallback(self, bob, settings, name_on):
        browser = Client()
        browser.force_login(get_user_model().objects.get())
        old = settings.SECRET_KEY
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another-secret-" * 5, [old]
        assert name_on(browser, "/guarded/") == "bob"
        settings.SECRET_KEY_FALLBACKS = []
        assert name_on(browser, "/guarded/") == "nobody"  # its tokens are of the old key still
        settings.SECRET_KEY_FALLBACKS = [old]
        elapse(EXPIRED, browser)
        assert name_on(browser) == "bob"
        settings.SECRET_KEY_FALLBACKS = []
        assert name_on(browser, "/guarded/") == "bob"  # tokens and row have moved on to the new one

    def test_reuse_is_told_once_with_its_row(self, visitor, bob, name_on, told):
        stale = copy_of(visitor)
        for _ in range(2):
            elapse(EXPIRED, visitor, stale)
            name_on(visitor)
        assert [name_on(stale), name_on(stale)] == ["nobody", "nobody"]
        reuse = [about for name, about in told if name == "reuse_found"]
        assert [(about["row"].user, about["count"]) for about in reuse] == [(bob, 1)]


class TestCycleAfterPasswordChange:
    def test_this_browser_goes_on_in_a_new_row_and_the_others_end(self, bob, signed_in, name_on):
        here, there = signed_in(bob, remember="on"), signed_in(bob)
        RefreshToken.objects.filter(remember=True).update(name="Laptop")
        old = copy_of(here)
        here.post("/change-password/", {"password": "another battery horse"})
        assert [name_on(b, "/guarded/") for b in (here, there, old)] == ["bob", "nobody", "nobody"]
        row = RefreshToken.objects.live().get()
        assert (row.name, row.remember) == ("Laptop", True)
        assert live_settings.SESSION_COOKIE_NAME not in here.cookies

    def test_a_hash_that_is_not_the_users_changes_nothing(self, visitor):
        row = RefreshToken.objects.get()
        visitor._pass(lambda request: request.session.update({HASH_SESSION_KEY: "another"}))
        assert RefreshToken.objects.live().get() == row


class TestEnd:
    def test_ends_the_row_and_takes_the_cookies(self, told, visitor, name_on):
        old = copy_of(visitor)
        response = visitor.post("/log-out/")
        assert {response.cookies[name]["max-age"] for name in ("__Host-access", "__Host-refresh")} == {0}
        assert "Clear-Site-Data" not in response.headers  # with a full cache it takes browsers seconds
        assert [name_on(visitor), name_on(old)] == ["nobody", "nobody"]
        assert RefreshToken.objects.get().reason == Reason.SIGNED_OUT
        assert [name for name, _ in told] == ["session_started", "session_ended"]

    def test_an_old_copy_that_logs_out_ends_its_row_and_is_no_theft(self, visitor, bob, signed_in, told):
        stale, elsewhere = copy_of(visitor), signed_in(bob)
        for _ in range(2):
            elapse(EXPIRED, visitor, stale)
            visitor.get("/who/")
        stale.cookies["__Host-access"] = "garbage"  # which hides no token beside it
        stale.post("/log-out/")
        assert "reuse_found" not in [name for name, _ in told]
        assert RefreshToken.objects.live().count() == 1
        assert elsewhere.get("/who/").content == b"bob"

    @pytest.mark.parametrize("everywhere", [{}, {"everywhere": ""}])
    def test_the_request_that_does_it_may_still_ask_who_it_was(self, visitor, everywhere, name_on):
        assert visitor.post("/goodbye/", everywhere).content == b"bob@example.org"
        assert name_on(visitor) == "nobody"

    def test_without_a_sign_in_it_is_no_error(self, db):
        assert Client().post("/log-out/").content == b"bye"


class TestWriteCookies:
    def test_a_response_of_5xx_starts_no_sign_in(self, bob):
        client = Client(raise_request_exception=False)
        response = client.post("/log-in/", {"username": "bob", "password": PASSWORD, "fail": "yes"})
        assert response.status_code == 500 and not cookies_set(response)
        assert not RefreshToken.objects.exists()

    def test_a_response_that_leaves_late_sets_no_cookies_of_ours(self, visitor, name_on):
        elapse(EXPIRED, visitor)
        with late():
            response = visitor.get("/who/")
        assert response.content == b"bob" and not cookies_set(response)
        assert name_on(visitor) == "bob"
        assert verification.verify_access(jar(visitor)["access"]).gen == 2

    def test_it_confirms_nothing_either_as_another_may_have_been_confirmed_since(self, visitor, name_on):
        for _ in range(2):
            elapse(EXPIRED, visitor)
            name_on(visitor)
        elapse(EXPIRED, visitor)
        before = RefreshToken.objects.get().generation
        with late():
            assert name_on(visitor) == "bob"
        assert RefreshToken.objects.get().generation == before
        assert name_on(visitor) == "bob"
        assert RefreshToken.objects.get().generation == before + 1

    def test_a_sign_in_that_leaves_late_is_delivered_all_the_same(self, bob, signed_in, name_on):
        with late():
            visitor = signed_in(bob)
        assert name_on(visitor) == "bob"

    def test_a_refresh_whose_row_has_ended_meanwhile_sets_no_cookies_of_ours(self, visitor):
        elapse(EXPIRED, visitor)
        response = visitor.get("/ends-meanwhile/")
        assert response.content == b"bob" and not cookies_set(response)

    def test_a_refresh_whose_row_has_changed_meanwhile_does(self, visitor):
        elapse(EXPIRED, visitor)
        response = visitor.get("/changes-meanwhile/")
        assert response.content == b"bob" and cookies_set(response) == {"__Host-access", "__Host-refresh"}


def test_the_log_never_holds_a_token(bob, signed_in, caplog, name_on):
    caplog.set_level(logging.DEBUG)
    browser = signed_in(bob)
    tokens = [*jar(browser).values()]
    for _ in range(2):
        elapse(EXPIRED, browser)
        name_on(browser)
        tokens += jar(browser).values()
    browser.post("/log-out/")
    assert not [t for t in tokens if t.rpartition(".")[2] in caplog.text]


def test_the_tokens_fit_in_cookies_with_room_to_spare(bob, signed_in):
    assert {len(token) < 1000 for token in jar(signed_in(bob)).values()} == {True}


class TestChangesOfAPerson:
    """Whoever saves or deletes a person, under whatever name."""

    def test_a_proxy_that_deactivates(self, visitor, name_on):
        colleague = Colleague.objects.get()
        colleague.is_active = False
        colleague.save()
        assert name_on(visitor) == "nobody"
        assert RefreshToken.objects.get().reason == Reason.DEACTIVATED

    def test_a_proxy_that_is_deleted(self, visitor, name_on):
        Colleague.objects.get().delete()
        assert name_on(visitor) == "nobody"
        assert RefreshToken.objects.get().reason == Reason.DELETED


@pytest.mark.django_db(transaction=True)
class TestAChangeOfAPassword:
    """As Django's own views save it."""

    def test_and_its_revocations_are_all_or_nothing_whichever_statement_fails(self, visitor, bob):
        for number in range(1, 99):
            with failing_at(number) as failed:
                response = copy_of(visitor).post("/change-password/", {"password": "another one"})
            bob.refresh_from_db()
            changed = bob.check_password("another one")
            revoked = RefreshToken.objects.filter(reason=Reason.PASSWORD).exists()
            assert (changed, revoked) == (response.status_code == 200,) * 2, (number, failed)
            if changed:
                break
        assert number > 3

    def test_is_undone_by_a_receiver_that_fails(self, visitor, bob):
        def fail(**_):
            raise RuntimeError

        signals.sessions_revoked.connect(fail)
        try:
            bob.set_password("another one")
            with pytest.raises(RuntimeError):
                bob.save()
        finally:
            signals.sessions_revoked.disconnect(fail)
        bob.refresh_from_db()
        assert bob.check_password(PASSWORD) and RefreshToken.objects.get().is_live

    def test_that_cannot_keep_this_browser_in_says_that_it_is_done(self, visitor, bob):
        with mock.patch.object(auth.users, "from_db_or_none", side_effect=OperationalError):
            assert visitor.post("/change-password/", {"password": "another one"}).status_code == 200
        bob.refresh_from_db()
        assert bob.check_password("another one") and not RefreshToken.objects.live().exists()


class TestRow:
    def test_a_stale_instance_cannot_revive_it(self, bob, signed_in):
        signed_in(bob)
        stale = RefreshToken.objects.get()
        RefreshToken.objects.get().revoke(Reason.ENDED)
        stale.name = "Laptop"
        with pytest.raises(TypeError, match="Name the fields"):
            stale.save()
        stale.save(update_fields=["name"])
        row = RefreshToken.objects.get()
        assert (row.name, row.reason) == ("Laptop", Reason.ENDED)
