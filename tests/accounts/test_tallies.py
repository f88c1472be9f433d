"""How often a branch was taken: counted in memory, written by the minute, by every process into the same rows."""

import time
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import tallies
from accounts.models import Tally
from accounts.models.event import HISTORY_KEPT
from tests.tokens.clock import elapse
from tests.tokens.racing import together

START = tallies.Counts._start  # tests/conftest.py stills it
EXPIRED = 16 * 60


def written():
    return dict(Tally.objects.values_list("branch", "count"))


class TestCount:
    def test_a_refresh_is_counted_and_costs_no_write(self, client, bob, sign_in):
        sign_in(client, bob)
        elapse(EXPIRED, client)

        with CaptureQueriesContext(connection) as queries:
            client.get("/")

        assert {query["sql"].split()[0] for query in queries} == {"SELECT"}
        tallies.write()
        assert written() == {"child": 1}

    @pytest.mark.django_db(transaction=True)
    def test_is_written_after_a_while_from_a_thread_of_its_own(self, monkeypatch):
        monkeypatch.setattr(tallies, "WRITE_AFTER", 0.05)
        monkeypatch.setattr(tallies.Counts, "_start", START)
        waiting = time.monotonic() + 20
        for number in (1, 2):  # a second time, too
            tallies.count("child")
            while written() != {"child": number}:
                assert time.monotonic() < waiting
                time.sleep(0.02)


class TestWrite:
    def test_adds_to_what_is_there(self, db):
        for numbers in (("child", "child", "dead"), ("child",)):
            for branch in numbers:
                tallies.count(branch)
            tallies.write()

        assert written() == {"child": 3, "dead": 1}
        assert {tally.hour.minute for tally in Tally.objects.all()} == {0}

    def test_writes_nothing_twice(self, db, django_assert_num_queries):
        tallies.count("child")
        tallies.write()

        with django_assert_num_queries(0):
            tallies.write()

        assert written() == {"child": 1}

    @pytest.mark.django_db(transaction=True)
    def test_any_number_of_processes_write_at_once(self):
        counts = [tallies.Counts() for _ in range(8)]
        for each in counts:
            for branch in ("child", "kept", "dead"):
                each.count(branch)

        together([each.write for each in counts])

        assert written() == {"child": 8, "kept": 8, "dead": 8}

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.once
    def test_what_cannot_be_written_is_written_with_what_comes_next(self, caplog):
        tallies.count("child")
        table = Tally._meta.db_table
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {table} RENAME TO elsewhere")
            tallies.write()
            cursor.execute(f"ALTER TABLE elsewhere RENAME TO {table}")
        assert "The tallies cannot be written. They are kept, and tried again." in caplog.text

        tallies.count("child")
        tallies.write()

        assert written() == {"child": 2}


def test_old_ones_go_when_the_history_does(db):
    now = timezone.now()
    young, old = (now - HISTORY_KEPT + timedelta(hours=hours) for hours in (1, -1))
    for hour in (young, old):
        Tally.objects.create(hour=hour, branch="child", count=1)

    call_command("tidyaccounts", stdout=StringIO())

    assert Tally.objects.get().hour == young
