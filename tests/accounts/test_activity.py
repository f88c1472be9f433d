"""Security events: how they are written, and how their person reads them."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from accounts.models import SecurityEvent, security_event
from accounts.models.security_event import EVENT_RETENTION, AppendOnlyError
from tests.accounts.conftest import FIREFOX, statements
from tests.tokens.clock import EXPIRED, copy_of, elapse, left_behind
from tokens.models import RefreshToken
from tokens.testing import Client

Kind = SecurityEvent.Kind


class TestSecurityEvent:
    def test_is_never_changed_or_deleted(self, bob):
        event = SecurityEvent.objects.record(None, bob, Kind.SIGNED_IN, actor=bob)
        assert event.actor is None  # what one does oneself
        event.kind = Kind.SIGNED_OUT
        ways = event.save, event.delete, SecurityEvent.objects.all().delete
        for way in (*ways, lambda: SecurityEvent.objects.update(kind=Kind.SIGNED_OUT)):
            with pytest.raises(AppendOnlyError):
                way()
        assert SecurityEvent.objects.get().kind == Kind.SIGNED_IN

    def test_keeps_who_what_when_and_from_where(self, rf, bob, alice):
        session, before = uuid4(), timezone.now()
        request = rf.get("/", headers={"user-agent": "x" * 400}, REMOTE_ADDR="2001:db8::1")
        SecurityEvent.objects.record(request, bob, Kind.SESSION_ENDED, session_id=session, actor=alice)
        event = SecurityEvent.objects.get()
        assert (event.user, event.actor, event.kind, event.session_id) == (bob, alice, Kind.SESSION_ENDED, session)
        assert (event.ip_address, event.user_agent) == ("2001:db8::1", "x" * 300)
        assert before <= event.created_at <= timezone.now()

    @pytest.mark.parametrize("address", ["", "unix:"])
    def test_takes_a_server_that_tells_no_address(self, rf, bob, address):
        assert SecurityEvent.objects.record(rf.get("/", REMOTE_ADDR=address), bob, Kind.SIGNED_IN).ip_address is None

    def test_a_sign_in_is_recorded_with_its_session(self, client, bob, sign_in):
        sign_in(client, bob)
        event = SecurityEvent.objects.get()
        assert (event.kind, event.user, event.session_id) == (Kind.SIGNED_IN, bob, RefreshToken.objects.get().pk)


ACTIVITY = "/accounts/activity/"


class TestActivity:
    def test_tells_in_words_the_newest_first_and_nobody_elses(self, using, bob, alice, sign_in):
        client = using(FIREFOX)
        client.post(reverse("login"), {"username": "bob", "password": "wrong"})
        SecurityEvent.objects.record(None, alice, Kind.REUSE_FOUND)
        sign_in(client, bob)
        response = client.get(ACTIVITY)
        assert [event.kind for event in response.context["page"]] == [Kind.SIGNED_IN, Kind.SIGN_IN_FAILED]
        assert "Firefox 128 on Linux · 127.0.0.1 · with your password" in response.content.decode()

    def test_tells_how_a_session_was_opened_that_is_pruned_by_now(self, here, bob):
        about = {"method": "password", "amr": "pwd otp mfa"}
        SecurityEvent.objects.create(user=bob, kind=Kind.SIGNED_IN, ip_address="203.0.113.7", **about)
        assert "203.0.113.7 · with your password and a code" in here.get(ACTIVITY).content.decode()

    @pytest.mark.parametrize("kind", [Kind.ALL_ENDED, Kind.RESET_ASKED, Kind.PASSWORD_CHANGED])
    def test_says_who_it_was_if_it_was_an_administrator(self, here, bob, alice, kind):
        SecurityEvent.objects.record(None, bob, kind)
        assert "dministrator" not in here.get(ACTIVITY).content.decode()
        SecurityEvent.objects.record(None, bob, kind, actor=alice)
        page = here.get(ACTIVITY).content.decode()
        assert page.count("dministrator") == 1
        assert "alice" not in page

    def test_has_pages_that_follow_each_other(self, here, bob, django_assert_num_queries):
        made = [SecurityEvent.objects.record(None, bob, Kind.SIGNED_OUT).pk for _ in range(44)]
        here.get("/")
        shown = []
        for number in (1, 2, 3):
            with django_assert_num_queries(3):  # the row, how many events, this page of them
                shown += [event.pk for event in here.get(ACTIVITY, {"page": number}).context["page"]]
        assert shown[:44] == made[::-1]
        assert len(shown) == 45
        assert [event.pk for event in here.get(ACTIVITY, {"page": "99"}).context["page"]] == shown[40:]

    def test_a_number_that_is_none_is_some_page(self, here):
        for number in ("0", "x", "9" * 40, "\x00"):
            assert here.get(ACTIVITY, {"page": number}).context["page"].number == 1

    def test_has_words_for_everything(self, here, bob):
        for kind in Kind:
            SecurityEvent.objects.record(None, bob, kind)
        pages = "".join(here.get(ACTIVITY, {"page": number}).content.decode() for number in (1, 2, 3))
        for kind in Kind:
            assert f"<h3>{escape(kind.label)}</h3>" in pages
            assert kind.label != kind.value.replace("_", " ").title()  # which Django makes up

    def test_marks_what_to_look_at_twice(self, here, bob):
        marked = set()
        for kind in Kind:
            SecurityEvent.objects.all()._raw_delete("default")
            SecurityEvent.objects.record(None, bob, kind)
            if 'class="alarming"' in here.get(ACTIVITY).content.decode():
                marked.add(kind)
        assert marked == {
            Kind.SIGN_IN_FAILED,
            Kind.SECOND_FACTOR_FAILED,
            Kind.RECOVERY_CODE_USED,
            Kind.PASSKEY_COPIED,
            Kind.REAUTHENTICATION_FAILED,
            Kind.FACTOR_REMOVAL_ASKED,
            Kind.FACTOR_REMOVAL_STARTED,
            Kind.COPY_TRIED,
            Kind.DEVICE_UNPROVEN,
            Kind.REUSE_FOUND,
        }

    @pytest.mark.parametrize("kind", [Kind.REUSE_FOUND, Kind.COPY_TRIED])
    def test_names_harmless_causes_of_a_copy_that_ended_sessions(self, here, bob, kind):
        SecurityEvent.objects.record(None, bob, kind)
        page = here.get(ACTIVITY).content.decode()
        assert ("This can be harmless. Importing a browser profile" in page) is (kind == Kind.REUSE_FOUND)

    def test_says_from_where_as_far_as_is_known(self, here, bob, alice, rf):
        for about, by in (({"REMOTE_ADDR": "203.0.113.7"}, None), ({"REMOTE_ADDR": "203.0.113.8"}, alice)):
            SecurityEvent.objects.record(rf.get("/", **about), bob, Kind.SESSION_ENDED, actor=by)
        page = here.get(ACTIVITY).content.decode()
        assert "203.0.113.7" in page
        assert "203.0.113.8" not in page

    def test_goes_back_as_far_as_it_says(self, here, bob):
        for age in (EVENT_RETENTION - timedelta(minutes=1), EVENT_RETENTION + timedelta(minutes=1)):
            SecurityEvent.objects.create(user=bob, kind=Kind.SIGNED_OUT, created_at=timezone.now() - age)
        response = here.get(ACTIVITY)
        assert str(EVENT_RETENTION.days) in response.content.decode()
        assert len(response.context["page"]) == 2


@pytest.fixture
def stale(bob, sign_in):
    browser = Client()
    sign_in(browser, bob)
    old = left_behind(browser)
    return browser, old


def tried(bob):
    return SecurityEvent.objects.filter(user=bob, kind=Kind.COPY_TRIED).count()


def test_an_old_copy_that_was_tried_and_not_answered_stays_in_the_history(stale, bob):
    browser, old = stale
    for _ in range(3):
        assert copy_of(old).get("/").status_code == 307
    assert tried(bob) == 1
    assert str(Kind.COPY_TRIED.label) in browser.get(ACTIVITY).content.decode()


def test_late_requests_of_ones_own_leave_nothing_in_the_history(stale, bob):
    browser, old = stale
    for response in [copy_of(old).get("/") for _ in range(3)]:
        browser.cookies.update(response.cookies)
    assert tried(bob) == 1
    assert browser.get("/").context["user"] == bob
    assert tried(bob) == 0


def test_a_late_request_of_ones_own_takes_no_event_of_a_thief_along(stale, bob):
    browser, oldest = stale
    old = left_behind(browser, oldest)
    copy_of(oldest).get("/")
    for late in (oldest, old):  # with the thief's token, and with another
        browser.cookies.update(late.get("/").cookies)
        assert browser.get("/").context["user"] == bob
        assert tried(bob) == 1


WHERE_NOBODY_JUDGES = {
    "a page that is not there": lambda client: client.get("/nowhere/"),
    "an empty form to sign in": lambda client: client.post("/accounts/login/", {}),
}


@pytest.mark.parametrize("where", WHERE_NOBODY_JUDGES)
class TestWhereNobodyJudges:
    def test_nobody_is_given_anything(self, stale, bob, where):
        browser, _ = stale
        RefreshToken.objects.all().bump()  # so that the access token is out of date as well
        for seconds in (3 * 60, EXPIRED):  # its generation would be confirmed; it would be refreshed
            elapse(seconds, browser)
            before = RefreshToken.objects.values().get()
            response = WHERE_NOBODY_JUDGES[where](browser)
            assert b"Sign out" in response.content
            assert not {"__Host-access", "__Host-refresh"} & response.cookies.keys()
            assert RefreshToken.objects.values().get() == before

    def test_an_old_copy_leaves_its_event_unless_its_own_browser_has_something_newer(self, stale, bob, where):
        browser, old = stale
        for _ in range(3):
            response = WHERE_NOBODY_JUDGES[where](old)
            assert response.status_code in (200, 404)
        assert tried(bob) == 1 and RefreshToken.objects.get().probe_count == 0
        assert b"Sign out" not in response.content
        browser.cookies["__Host-probe-told"] = old.cookies["__Host-probe-told"].value
        browser.get("/")
        assert tried(bob) == 0


class TestABound:
    @pytest.fixture(autouse=True)
    def few(self, monkeypatch):
        monkeypatch.setattr(security_event, "MAX_PER_HOUR", 3)

    def test_on_the_events_of_two_old_copies_that_are_shown_in_turn_which_hide_no_other_session(self, stale, bob):
        browser, oldest = stale
        old = left_behind(browser, oldest)
        for _ in range(3):
            for copy in (oldest, old):
                assert copy_of(copy).get("/").status_code == 307
        assert tried(bob) == 3
        SecurityEvent.objects.record(None, bob, Kind.COPY_TRIED, session_id=uuid4())
        assert tried(bob) == 4

    def test_on_those_of_each_kind_for_each_account_and_hour_but_not_on_what_administrators_do(self, alice, bob, clock):
        def happens(kind, times, person=bob, **about):
            made = [SecurityEvent.objects.record(None, person, kind, session, **about) for _ in range(times)]
            return len(list(filter(None, made)))

        session = uuid4()
        for kind in Kind:
            assert [happens(kind, 5), happens(kind, 5, actor=alice), happens(kind, 1, alice)] == [3, 5, 1]
        clock.shift(60 * 60 + 1)
        assert happens(Kind.SIGNED_IN, 5) == 3

    def test_on_what_strangers_try_which_does_not_show_in_what_it_costs(self, bob):
        """Or the statements would tell, once an account has all that it gets, that there is one."""
        for person in (bob, bob, bob, bob, None):
            with CaptureQueriesContext(connection) as queries:
                SecurityEvent.objects.record_attempt(None, person, Kind.SIGN_IN_FAILED)
            assert [verb for verb, _ in statements(queries)] == ["SELECT", "SAVEPOINT", "INSERT"]
            assert "LIMIT 3" in queries[0]["sql"]  # of nobody there may be many, once accounts were deleted
        assert SecurityEvent.objects.filter(kind=Kind.SIGN_IN_FAILED).count() == 3


def test_nothing_else_can_be_withdrawn(stale):
    kept = SecurityEvent.objects.count()
    SecurityEvent.objects.all().withdraw()
    assert SecurityEvent.objects.count() == kept > 0
