"""Where somebody is signed in: seen, named and ended; and the figures of `manage.py sessionreport`."""

import json
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import SecurityEvent, User
from tests.accounts.conftest import CHROME, FIREFOX, IPHONE, kinds
from tests.conftest import PASSWORD
from tokens.models import RefreshToken

SESSIONS = "/accounts/sessions/"
Reason = RefreshToken.Reason


def row_of(user_agent):
    return RefreshToken.objects.get(user_agent=user_agent)


def page_of(client):
    return " ".join(client.get(SESSIONS).content.decode().split())


class TestList:
    def test_shows_browser_system_address_and_how_it_was_opened_and_nobody_elses(self, here, alice, using, sign_in):
        sign_in(using(IPHONE), alice)
        page = page_of(here)
        assert "Firefox 128 on Linux" in page
        assert "127.0.0.1" in page
        assert "<p>Active now · <time" in page
        started = row_of(FIREFOX).started_at
        assert f">signed in {started:%-d %B} with your password</time>" in page
        assert "Safari" not in page

    def test_this_device_comes_first(self, here, there):
        for client, mine in ((here, "Firefox"), (there, "Chrome")):
            live = client.get(SESSIONS).context["live"]
            assert [session.here for session in live] == [True, False]
            assert mine in live[0].title

    @pytest.mark.parametrize(
        ("age", "words"),
        [
            (timedelta(minutes=59), "Active within the last hour"),
            (timedelta(hours=1, minutes=5), "Active 1 hour ago"),
            (timedelta(hours=3, minutes=5), "Active 3 hours ago"),
            (timedelta(days=2, hours=1), "Active 2 days ago"),
        ],
    )
    def test_says_when_another_was_last_seen(self, here, there, age, words):
        RefreshToken.objects.filter(user_agent=CHROME).update(seen_at=timezone.now() - age)
        assert words in page_of(here)

    def test_costs_three_queries_however_many_there_are(self, here, bob, using, sign_in, django_assert_num_queries):
        for _ in range(5):
            sign_in(using(CHROME), bob)
        RefreshToken.objects.filter(user_agent=CHROME).first().revoke(Reason.ENDED)
        with django_assert_num_queries(3):  # this row with its person, the live ones, the ended ones
            page_of(here)

    def test_comes_page_by_page_this_device_first_and_those_that_ended_last(self, here, many):
        pages = [here.get(SESSIONS, {"page": number}) for number in range(1, 5)]
        assert [len(page.context["live"]) for page in pages] == [10, 10, 5, 0]
        assert [len(page.context["ended"]) for page in pages] == [0, 0, 5, 10]
        assert pages[0].context["live"][0].here
        assert [page.content.count(b"<svg width") for page in pages] == [1, 0, 0, 0]
        assert all(b"End the 24 other sessions" in page.content for page in pages[:3])

    @pytest.mark.parametrize("language", ["en", "de"])
    def test_stays_light(self, here, many, language):
        """With the style sheet, the script and the heads of all: tests/face/test_speed.py weighs them."""
        answer = here.get(SESSIONS, headers={"Accept-Language": language})
        assert answer.headers["Content-Language"] == language
        assert len(answer.content) < 19_000

    def test_a_header_is_text(self, using, bob, sign_in):
        client = using("<script>alert(1)</script>/1.0 (X11; Linux)")
        sign_in(client, bob)
        client.post(reverse("session_name", args=[RefreshToken.objects.get().pk]), {"name": "<b>x</b>"})
        page = page_of(client)
        assert "<script>" not in page
        assert "<b>" not in page
        assert "&lt;b&gt;x&lt;/b&gt;" in page


@pytest.fixture
def many(here, bob):
    """Bob has twenty-four other sessions, and twenty that are over."""
    hash_ = RefreshToken.objects.get().auth_hash
    RefreshToken.objects.bulk_create(
        RefreshToken(
            **{"user": bob, "user_agent": CHROME, "address": "2001:db8:4f0:21:5d1e:77c2:9a0b:1f34", "auth_hash": hash_},
            **{"jti": uuid4(), "started_at": timezone.now(), "seen_at": timezone.now(), "method": "password"},
            **{"expires_at": timezone.now() + timedelta(days=9), "persistent": True},
            **({} if number < 24 else {"revoked_at": timezone.now(), "reason": Reason.EVICTED}),
        )
        for number in range(44)
    )


class TestEnded:
    @pytest.mark.parametrize(
        ("reason", "words"),
        [
            (Reason.SIGNED_OUT, "signed out"),
            (Reason.ENDED, "ended from the list of sessions"),
            (Reason.REUSED, "a copy of a sign-in was used"),
            (Reason.ADMIN, "ended by an administrator"),
            (None, "not used for too long"),
        ],
    )
    def test_stays_listed_with_the_reason_for_a_month(self, here, there, reason, words):
        def listed(**moments):
            RefreshToken.objects.filter(user_agent=CHROME).update(**moments)
            return page_of(here).partition("Ended lately")[2]

        if reason:
            row_of(CHROME).revoke(reason)
        moment = "revoked_at" if reason else "expires_at"
        shown = listed(**{moment: timezone.now() - timedelta(minutes=1)})
        assert "Chrome 131 on Windows" in shown
        assert f"</time> · {words}</p>" in shown
        assert "Chrome" not in listed(**{moment: timezone.now() - timedelta(days=31)})


class TestEnd:
    def test_ends_one_writes_it_down_and_tells_it_there(self, here, there, bob):
        url = reverse("session_end", args=[row_of(CHROME).pk])
        assert "Ended: Chrome 131 on Windows." in here.post(url, follow=True).content.decode()
        assert row_of(CHROME).reason == Reason.ENDED
        assert row_of(FIREFOX).is_live
        assert "This session was ended from the list of sessions." in there.get(SESSIONS, follow=True).content.decode()
        for method in (here.get, here.post):
            assert "This session was over already." in method(url, follow=True).content.decode()
        [event] = SecurityEvent.objects.filter(kind="session_ended")
        assert (event.user, event.session, event.user_agent) == (bob, row_of(CHROME).pk, FIREFOX)

    def test_ending_the_one_in_use_is_signing_out(self, here, there):
        response = here.post(reverse("session_end", args=[row_of(FIREFOX).pk]), follow=True)
        assert "You are signed out." in response.content.decode()
        assert row_of(CHROME).is_live

    @pytest.mark.parametrize("view", ["session_end", "session_name"])
    def test_somebody_elses_does_not_exist(self, here, alice, using, sign_in, view):
        sign_in(using(IPHONE), alice)
        for key in (row_of(IPHONE).pk, uuid4()):
            url = reverse(view, args=[key])
            assert {here.get(url).status_code, here.post(url, {"name": "mine now"}).status_code} == {404}
        assert row_of(IPHONE).is_live
        assert row_of(IPHONE).name == ""


class TestEndOthers:
    def test_leaves_this_one_and_other_people(self, here, there, bob, alice, using, sign_in):
        sign_in(using(IPHONE), bob)
        sign_in(using("hers"), alice)
        page = here.post(reverse("sessions_end_others"), follow=True).content.decode()
        assert "2 other sessions were ended." in page
        assert list(RefreshToken.objects.live().order_by("started_at")) == [row_of(FIREFOX), row_of("hers")]
        assert SecurityEvent.objects.first().kind == "others_ended"
        here.post(reverse("sessions_end_all"))
        assert RefreshToken.objects.live().get() == row_of("hers")


class TestEndAll:
    def test_ends_this_one_too_and_is_written_down_once(self, here, there):
        response = here.post(reverse("sessions_end_all"), follow=True)
        assert "All your sessions were ended, this one too." in response.content.decode()
        assert {row.reason for row in RefreshToken.objects.all()} == {Reason.ENDED}
        assert kinds() == ["signed_in", "signed_in", "all_ended"]
        assert here.get(SESSIONS).status_code == 302
        assert not here.cookies["__Host-access"].value


class TestQuestions:
    """What stands between a click and an end."""

    @pytest.mark.parametrize(
        ("which", "words"),
        [
            (CHROME, ("Chrome 131 on Windows", "That browser is signed out at once.", "You stay signed in here.")),
            (FIREFOX, ("End the session you are in?", "Your other sessions go on.")),
        ],
    )
    def test_says_which_session_it_is_and_what_will_happen(self, here, there, which, words):
        page = here.get(reverse("session_end", args=[row_of(which).pk])).content.decode()
        assert [text for text in words if text not in page] == []

    def test_names_all_others_the_latest_used_first(self, here, there, bob, using, sign_in, django_assert_num_queries):
        sign_in(using(IPHONE), bob)
        with django_assert_num_queries(2):  # this row with its person, the others
            page = here.get(reverse("sessions_end_others")).content.decode()
        assert page.index("on iPhone") < page.index("Chrome 131 on Windows")
        assert "Firefox" not in page
        assert "End the 2 other sessions" in page
        assert '<form method="post">' in page.partition("<main")[2]


class TestName:
    def test_names_a_session_and_changes_nothing_else(self, here, there):
        row = row_of(CHROME)
        url = reverse("session_name", args=[row.pk])
        assert "Chrome 131 on Windows" in here.get(url).content.decode()
        fields = {"name": "Work laptop", "persistent": "on", "user": "1", "address": "192.0.2.1"}
        assert "The name was saved." in here.post(url, fields, follow=True).content.decode()
        assert "Work laptop" in page_of(here)
        after = row_of(CHROME)
        assert (after.persistent, after.user_id, after.address) == (row.persistent, row.user_id, row.address)
        assert "name" in here.post(url, {"name": "x" * 61}).context["form"].errors

    def test_an_empty_name_takes_it_away(self, here):
        url = reverse("session_name", args=[row_of(FIREFOX).pk])
        here.post(url, {"name": "Old"})
        here.post(url, {"name": ""})
        assert "Firefox 128 on Linux" in page_of(here)


@pytest.mark.parametrize("view", ["session_end", "sessions_end_others", "sessions_end_all"])
def test_only_a_post_with_the_token_ends_anything(here, there, view):
    url = reverse(view, args=[row_of(CHROME).pk] if view == "session_end" else [])
    here.handler.enforce_csrf_checks = True
    statuses = [getattr(here, method)(url).status_code for method in ("get", "head", "options", "post")]
    assert statuses == [200, 200, 405, 403]
    assert RefreshToken.objects.live().count() == 2


def test_a_guarded_page_has_no_lag(here, bob):
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert here.get(SESSIONS).status_code == 302
    assert bob.check_password(PASSWORD)


def say(*words):
    out = StringIO()
    call_command("sessionreport", *words, stdout=out)
    return out.getvalue()


@pytest.fixture
def some(alice, bob):
    """Bob's three, the last of them by a program an hour and a half ago, and one of alice's from two months ago; of
    those that are over, one ended by her, one unused, and one of a fortnight ago."""
    start = RefreshToken.objects.start
    for header, method in ((FIREFOX, "password"), (IPHONE, "password"), ("curl/8", "api")):
        row = start(bob, user_agent=header, method=method)
    back(row, timedelta(hours=1.5))
    back(start(alice, user_agent=FIREFOX, method="password", persistent=True), timedelta(days=60))
    start(alice).revoke(RefreshToken.Reason.ENDED)
    start(alice).revoke(RefreshToken.Reason.ENDED)
    RefreshToken.objects.filter(pk=last().pk).update(revoked_at=F("revoked_at") - timedelta(days=14))
    row = start(alice)
    RefreshToken.objects.filter(pk=row.pk).update(expires_at=F("started_at") - timedelta(hours=1))


def back(row, span):
    RefreshToken.objects.filter(pk=row.pk).update(started_at=F("started_at") - span)


def last():
    return RefreshToken.objects.order_by("-revoked_at").filter(revoked_at__isnull=False)[0]


class TestSessionReport:
    def test_counts_what_is_live_and_what_has_ended(self, some):
        assert json.loads(say("--json")) == {
            "live": 4,
            "by_age": {"an hour": 2, "a day": 1, "a week": 0, "a month": 0, "longer": 1},
            "by_device": {"desktop": 2, "phone": 1, "other": 1},
            "by_browser": {"Firefox": 2, "Safari": 1, "curl": 1},
            "by_method": {"password": 3, "api": 1},
            "ended": {"ended": 1, "expired": 1},
            "people": {"bob": 3, "alice": 1},
        }

    def test_looks_back_as_far_and_names_as_many_as_it_is_told(self, some):
        figures = json.loads(say("--json", "--days", "15", "--top", "1"))
        assert (figures["ended"], figures["people"]) == ({"ended": 2, "expired": 1}, {"bob": 3})

    def test_says_the_same_in_words(self, some):
        said = say()
        assert said.startswith("4 live sessions\n\nLive, signed in no longer ago than\n          2  an hour\n")
        assert "Ended within 7 days, by reason\n          1  ended\n          1  expired\n" in said
        assert said.endswith("Who has most live sessions\n          3  bob\n          1  alice\n")

    def test_of_nothing_is_short(self, db):
        assert json.loads(say("--json"))["by_device"] == {}
        assert say().startswith("0 live sessions\n")
        assert "browser" not in say()

    def test_asks_as_little_of_forty_sessions_as_of_one(self, bob):
        counts = []
        for number in range(40):
            RefreshToken.objects.start(bob, user_agent=f"{FIREFOX} {number}")
            if number in (0, 39):
                with CaptureQueriesContext(connection) as captured:
                    say()
                assert all(query["sql"].startswith(("SELECT", "DECLARE")) for query in captured)
                counts.append(len(captured))
        assert counts[0] == counts[1] <= 9
