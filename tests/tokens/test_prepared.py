"""Statements that are built once do what the ORM's own do, each time with other values."""

import pytest
from django.db import connection, connections, transaction
from django.db.models.signals import post_init
from django.test.utils import CaptureQueriesContext

from tests.tokens.racing import together
from tokens.core.rotation import Refresh
from tokens.models import RefreshToken


@pytest.mark.django_db
def test_rows_are_as_the_orm_reads_them(alice, bob):
    for user in (bob, alice, bob):
        row = RefreshToken.objects.start(user)
        found = RefreshToken.objects.get_live(str(row.pk), str(user.pk))
        expected = RefreshToken.objects.select_related("user").get(pk=row.pk)
        expected.check_live()
        assert state(found) == state(expected)
        with CaptureQueriesContext(connection) as queries:
            assert state(found.user) == state(expected.user)
        assert not queries


@pytest.mark.django_db
def test_whoever_looks_on_sees_each_row_and_its_user_being_made(bob):
    row, made = RefreshToken.objects.start(bob), []

    def look(instance, **_):
        made.append(type(instance))

    post_init.connect(look)
    try:
        RefreshToken.objects.get_live(str(row.pk), str(bob.pk))
    finally:
        post_init.disconnect(look)
    assert made == [RefreshToken, type(bob)]


@pytest.mark.django_db
def test_an_update_changes_the_row_it_is_given(bob):
    other, row = RefreshToken.objects.start(bob), RefreshToken.objects.start(bob)
    newer = Refresh(2, str(other.jti))
    assert RefreshToken.objects.confirm(str(row.pk), newer)
    assert not RefreshToken.objects.confirm(str(row.pk), newer)
    assert [RefreshToken.objects.get(pk=each.pk).generation for each in (other, row)] == [1, 2]


@pytest.mark.django_db(transaction=True)
def test_each_thread_has_its_own_connection(bob):
    rows = [RefreshToken.objects.start(bob) for _ in range(4)]
    calls = [
        lambda row=row: (RefreshToken.objects.get_live(str(row.pk), str(bob.pk)).pk, connections["default"])
        for row in rows
    ]
    found = together(calls)
    assert [pk for pk, _ in found] == [row.pk for row in rows]
    assert len({id(held) for _, held in found}) == len(rows)


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_was_lost_is_made_anew(bob):
    row = RefreshToken.objects.start(bob)
    for _ in range(3):
        assert RefreshToken.objects.get_live(str(row.pk), str(bob.pk)) == row
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_postgresql_plans_them_once_and_anew_after_a_migration(bob):
    row = RefreshToken.objects.start(bob)

    def read():
        assert RefreshToken.objects.get_live(str(row.pk), str(bob.pk)).user == bob

    for _ in range(6):
        read()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%all_ended_at%'")
            assert cursor.fetchone() == (1,)
        migrating = connection.copy()  # as another process does
        try:
            for kind in ("text", "varchar(300)"):
                migrating.cursor().execute(f"ALTER TABLE tokens_refreshtoken ALTER user_agent TYPE {kind}")
                with transaction.atomic():  # which an error would end
                    read()
                read()
        finally:
            migrating.close()


def state(instance):
    """What it knows, moments with their time zone; where it is from, and that it is not new."""
    known = {name: repr(value) for name, value in vars(instance).items() if name != "_state"}
    return known, instance._state.db, instance._state.adding


def test_a_log_of_statements_has_their_text(bob):
    row = RefreshToken.objects.start(bob)
    with CaptureQueriesContext(connection) as queries:
        for _ in range(6):
            RefreshToken.objects.get_live(str(row.pk), str(bob.pk))
    assert all(str(row.pk).replace("-", "") in query["sql"].replace("-", "") for query in queries)
