"""`endsessions` and `cleartokens`."""

import re
import sys
from datetime import timedelta
from io import StringIO
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.tokens.clock import elapse
from tests.tokens.racing import together
from tokens.management import pruning
from tokens.management.commands import endsessions
from tokens.models import RefreshToken
from tokens.revocation import local_revocation_list

pytestmark = pytest.mark.urls("tests.tokens.urls")


def say(*words):
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue().strip()


class TestEndSessions:
    def test_ends_those_of_one_person(self, alice, bob, signed_in, name_on):
        hers, his = signed_in(alice), signed_in(bob)
        assert say("endsessions", "--user", "bob") == "1 sessions ended."
        assert [name_on(hers), name_on(his)] == ["alice", "nobody"]

    def test_says_that_nobody_is_called_so(self, db):
        with pytest.raises(CommandError, match="There's no user named carol"):
            say("endsessions", "--user", "carol")

    def test_ends_those_that_began_long_ago(self, alice, bob, signed_in, name_on):
        old, hers = signed_in(bob), signed_in(alice)
        RefreshToken.objects.update(created_at=F("created_at") - timedelta(hours=12, seconds=1))
        new = signed_in(bob)
        assert say("endsessions", "--older-than", "13h") == "0 sessions ended."
        assert say("endsessions", "--older-than", "12h", "--user", "bob") == "1 sessions ended."
        assert [name_on(each) for each in (old, new, hers)] == ["nobody", "bob", "alice"]
        assert say("endsessions", "--older-than", "720m") == "1 sessions ended."
        assert [name_on(each) for each in (old, new, hers)] == ["nobody", "bob", "nobody"]

    @pytest.mark.parametrize("words", [["--all"], ["--older-than", "0m"]])
    def test_a_dry_run_says_how_many_and_ends_none(self, bob, words):
        for _ in range(3):
            RefreshToken.objects.start(bob)
        with CaptureQueriesContext(connection) as queries:
            assert say("endsessions", "--dry-run", *words) == "3 sessions would be ended."
        assert all(query["sql"].startswith("SELECT") for query in queries)
        assert say("endsessions", *words) == "3 sessions ended."
        assert say("endsessions", "--dry-run", *words) == "0 sessions would be ended."

    def test_by_one_statement_for_some_people_at_a_time(self, bob, alice, django_user_model, monkeypatch):
        monkeypatch.setattr(endsessions, "PEOPLE_AT_ONCE", 2)
        carol = django_user_model.objects.create_user("carol", "carol@example.org")
        for person in (bob, bob, alice, alice, carol):
            RefreshToken.objects.start(person)
        with CaptureQueriesContext(connection) as queries:
            assert say("endsessions", "--older-than", "0m") == "5 sessions ended."
        update = f"UPDATE {connection.ops.quote_name('tokens_refreshtoken')}"
        assert sum(query["sql"].startswith(update) for query in queries) == 2
        assert not RefreshToken.objects.live().exists()

    def test_all_end_by_a_fact_with_a_time_and_no_row_is_written(self, alice, bob, signed_in, name_on):
        old, ended = signed_in(bob), RefreshToken.objects.get()
        later = RefreshToken.objects.start(alice)
        RefreshToken.objects.filter(pk=later.pk).update(created_at=timezone.now() + timedelta(minutes=1))
        with CaptureQueriesContext(connection) as queries:
            assert say("endsessions", "--all") == "2 sessions ended."
        assert not [query for query in queries if query["sql"].startswith("UPDATE") and "refreshtoken" in query["sql"]]
        local_revocation_list.forget()  # as if another process had been told
        assert name_on(old) == "nobody"
        assert [RefreshToken.objects.live().get(), RefreshToken.objects.ended().get()] == [later, ended]
        ended = RefreshToken.objects.get(pk=ended.pk)
        assert (ended.is_live, ended.reason) == (False, RefreshToken.Reason.ADMIN)

    def test_an_end_of_all_holds_when_the_list_has_long_forgotten_it(self, bob, signed_in, name_on):
        browser = signed_in(bob, remember=True)
        say("endsessions", "--all")
        elapse(24 * 3600, browser)
        local_revocation_list.forget()
        assert name_on(browser) == "nobody"
        assert name_on(signed_in(bob)) == "bob"

    @pytest.mark.parametrize("words", [[], ["--older-than", "soon"], ["--all", "--user", "bob"]])
    def test_wants_to_know_whose(self, db, words):
        with pytest.raises(CommandError):
            say("endsessions", *words)


@pytest.fixture
def small(monkeypatch):
    """Batches of two."""
    monkeypatch.setattr(pruning, "FEWEST", 2)
    monkeypatch.setattr(pruning, "MOST", 2)


class TestClearTokens:
    def test_deletes_what_ended_long_ago_and_nothing_else(self, bob):
        old = RefreshToken.objects.start(bob)
        elapse(5 * 24 * 3600)
        RefreshToken.objects.start(bob)  # ends six days before the clearing
        elapse(7 * 24 * 3600)
        RefreshToken.objects.start(bob)  # for which the first is too old to look for
        assert say("cleartokens") == "1 sessions deleted."
        assert RefreshToken.objects.exclude(pk=old.pk).count() == RefreshToken.objects.count() == 2

    @pytest.fixture
    def rows(self, bob):
        """`rows(number)` makes as many that ended long ago."""

        def rows(number):
            for _ in range(number):
                RefreshToken.objects.start(bob)
            elapse(9 * 24 * 3600)

        return rows

    def test_a_dry_run_says_how_many_and_deletes_none(self, rows):
        rows(3)
        assert say("cleartokens", "--dry-run") == "3 sessions would be deleted."
        assert RefreshToken.objects.count() == 3

    def test_each_batch_is_a_transaction_that_begins_where_the_last_one_ended(self, rows, small):
        rows(5)
        with CaptureQueriesContext(connection) as queries:
            assert say("cleartokens") == "5 sessions deleted."
        looks = [query["sql"] for query in queries if query["sql"].startswith("SELECT")]
        deletes = [query["sql"] for query in queries if re.match(r"DELETE FROM .tokens_refresh", query["sql"])]
        assert (len(looks), len(deletes)) == (4, 3)
        assert [">=" in look for look in looks] == [False, True, True, True]

    def test_ctrl_c_says_how_far_it_came_and_it_may_be_run_again(self, rows, small, monkeypatch):
        rows(5)
        monkeypatch.setattr(pruning, "sleep", mock.Mock(side_effect=[None, KeyboardInterrupt]))
        out = StringIO()
        with pytest.raises(KeyboardInterrupt):
            call_command("cleartokens", stdout=out)
        assert out.getvalue() == "Stopped: 4 sessions deleted so far. Run it again to continue.\n"
        monkeypatch.setattr(pruning, "sleep", lambda seconds: None)
        assert say("cleartokens") == "1 sessions deleted."

    def test_a_terminal_sees_it_go_and_nothing_else_does(self, rows, monkeypatch):
        shown = Terminal()
        monkeypatch.setattr(sys, "stderr", shown)
        rows(5)
        assert say("cleartokens") == "5 sessions deleted."
        assert "0/5" in shown.getvalue()
        shown.terminal = False
        shown.truncate(0)
        say("cleartokens")
        assert shown.getvalue() == ""


class Terminal(StringIO):
    terminal = True

    def isatty(self):
        return self.terminal


@pytest.mark.django_db(transaction=True)
def test_two_that_clear_at_once_delete_each_row_once(bob, small):
    for _ in range(30):
        RefreshToken.objects.start(bob)
    elapse(9 * 24 * 3600)
    said = together([lambda: say("cleartokens"), lambda: say("cleartokens")])
    assert sum(int(each.split()[0]) for each in said) == 30
    assert not RefreshToken.objects.exists()
