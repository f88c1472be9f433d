"""`manage.py sessionreport`: what there is, in figures."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from tests.accounts.conftest import FIREFOX
from tokens.models import RefreshToken

IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.5 Mobile/15E148 Safari/604.1"
)


def say(*words):
    out = StringIO()
    call_command("sessionreport", *words, stdout=out)
    return out.getvalue()


@pytest.fixture
def sessions(alice, bob):
    """Bob's three, the last of them by a program an hour and a half ago, and one of alice's from two months ago; of
    those that are over, one ended by her, one unused, and one of a fortnight ago."""
    start = RefreshToken.objects.start
    for header, method in ((FIREFOX, "password"), (IPHONE, "password"), ("curl/8", "api")):
        row = start(bob, user_agent=header, method=method)
    back(row, timedelta(hours=1.5))
    back(start(alice, user_agent=FIREFOX, method="password", remember=True), timedelta(days=60))
    start(alice).revoke(RefreshToken.Reason.ENDED)
    start(alice).revoke(RefreshToken.Reason.ENDED)
    RefreshToken.objects.filter(pk=last().pk).update(revoked_at=F("revoked_at") - timedelta(days=14))
    row = start(alice)
    RefreshToken.objects.filter(pk=row.pk).update(expires_at=F("created_at") - timedelta(hours=1))


def back(row, span):
    RefreshToken.objects.filter(pk=row.pk).update(created_at=F("created_at") - span)


def last():
    return RefreshToken.objects.order_by("-revoked_at").filter(revoked_at__isnull=False)[0]


def test_counts_what_is_live_and_what_has_ended(sessions):
    assert json.loads(say("--json")) == {
        "live": 4,
        "by_age": {"an hour": 2, "a day": 1, "a week": 0, "a month": 0, "longer": 1},
        "by_device": {"desktop": 2, "phone": 1, "other": 1},
        "by_browser": {"Firefox": 2, "Safari": 1, "curl": 1},
        "by_method": {"password": 3, "api": 1},
        "ended": {"ended": 1, "expired": 1},
        "people": {"bob": 3, "alice": 1},
    }


def test_looks_back_as_far_and_names_as_many_as_it_is_told(sessions):
    figures = json.loads(say("--json", "--days", "15", "--top", "1"))
    assert figures["ended"] == {"ended": 2, "expired": 1}
    assert figures["people"] == {"bob": 3}


def test_says_the_same_in_words(sessions):
    said = say()
    assert said.startswith("4 live sessions\n\nLive, signed in no longer ago than\n          2  an hour\n")
    assert "Ended within 7 days, by reason\n          1  ended\n          1  expired\n" in said
    assert said.endswith("Who has most live sessions\n          3  bob\n          1  alice\n")


def test_of_nothing_it_is_short(db):
    assert json.loads(say("--json"))["by_device"] == {}
    said = say()
    assert said.startswith("0 live sessions\n")
    assert "browser" not in said


def test_asks_as_little_of_a_hundred_sessions_as_of_one(bob):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            say()
        assert all(query["sql"].startswith(("SELECT", "DECLARE")) for query in captured)
        return len(captured)

    RefreshToken.objects.start(bob, user_agent=FIREFOX)
    one = queries()
    for number in range(40):
        RefreshToken.objects.start(bob, user_agent=f"{FIREFOX} {number}")
    assert queries() == one <= 9
