"""`manage.py sessionreport`: each session counts once in each part."""

import io
import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from tests.accounts.conftest import CHROME, FIREFOX
from tokens.models import RefreshToken

pytestmark = pytest.mark.django_db


@pytest.fixture
def _sessions(alice, bob):
    now = timezone.now()
    for user, user_agent, age in ((alice, FIREFOX, 0), (bob, CHROME, 2), (bob, CHROME, 40)):
        row = RefreshToken.objects.start(user)
        RefreshToken.objects.filter(pk=row.pk).update(created_at=now - timedelta(days=age), user_agent=user_agent)
    RefreshToken.objects.start(alice).revoke(RefreshToken.Reason.SIGNED_OUT)


def run(*options):
    out = io.StringIO()
    call_command("sessionreport", *options, stdout=out)
    return out.getvalue()


@pytest.mark.usefixtures("_sessions")
class TestReport:
    def test_counts_live_sessions_by_age_and_browser_and_ended_ones_by_reason(self):
        report = json.loads(run("--json"))
        assert report["live"] == 3
        assert report["by_age"] == {"an hour": 1, "a day": 0, "a week": 1, "a month": 0, "longer": 1}
        assert report["by_browser"] == {"Chrome": 2, "Firefox": 1}
        assert report["ended"] == {"signed_out": 1}

    def test_names_as_many_users_as_asked_for(self):
        assert json.loads(run("--json", "--top", "1"))["people"] == {"bob": 2}

    def test_writes_text_for_people(self):
        lines = run("--days", "3").splitlines()
        assert lines[0] == "3 active sessions"
        assert f"  {2:>9}  bob" in lines
