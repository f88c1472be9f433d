"""A row and its person by one statement that is written once: the same as Django's own, whatever the database."""

from unittest import mock
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models.sql.compiler import SQLCompiler
from django.utils import timezone

from tokens.joined import Joined
from tokens.models import RefreshToken


@pytest.fixture
def row(alice):
    """One with a value in each column."""
    now = timezone.now()
    row = RefreshToken.objects.start(alice, persistent=True, user_agent="Zoë's", address="2001:db8::1", name="desk")
    rows = RefreshToken.objects.filter(pk=row.pk)
    rows.update(probed_jti=uuid4(), probes=3, changed_at=now, revoked_at=now, reason="ended", status_index=7)
    return rows.select_related("user").get()


@pytest.fixture
def joined():
    return Joined(RefreshToken, "user")


def values(instance):
    return {field.attname: (type(value := getattr(instance, field.attname)), value) for field in fields(instance)}


def fields(instance):
    return type(instance)._meta.concrete_fields


class TestFind:
    def test_it_makes_the_instances_that_django_makes(self, row, joined, django_assert_num_queries):
        with django_assert_num_queries(1):
            found = joined.find("default", str(row.pk), row.user_id)
            person = found.user
        assert values(found) == values(row) and values(person) == values(row.user)
        assert (type(found), type(person)) == (type(row), type(row.user))
        assert found._state.db == person._state.db == "default" and not (found._state.adding or person._state.adding)
        assert found.get_deferred_fields() == person.get_deferred_fields() == set()

    def test_it_finds_each_row_by_its_own_keys(self, row, bob, joined):
        other = RefreshToken.objects.start(bob)
        for wanted in (row, other, row):
            assert joined.find("default", wanted.pk, wanted.user_id) == wanted

    def test_the_row_of_somebody_else_and_one_that_is_gone_are_none(self, row, bob, joined):
        assert joined.find("default", row.pk, bob.pk) is None
        assert joined.find("default", uuid4(), row.user_id) is None

    def test_a_row_without_a_person_is_none(self, row, joined):
        RefreshToken.objects.update(user=None)
        assert joined.find("default", row.pk, row.user_id) is None

    def test_its_sql_is_written_once(self, row, joined):
        with mock.patch.object(SQLCompiler, "as_sql", autospec=True, side_effect=SQLCompiler.as_sql) as written:
            for _ in range(3):
                assert joined.find("default", row.pk, row.user_id) == row
        assert written.call_count == 1

    def test_what_watches_the_database_sees_it(self, row, joined):
        seen = []

        def watch(execute, sql, params, many, context):
            seen.append(sql)
            return execute(sql, params, many, context)

        with connection.execute_wrapper(watch):
            joined.find("default", row.pk, row.user_id)
        assert len(seen) == 1
