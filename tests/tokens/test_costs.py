"""What a request may cost, in things that can be counted: no clock is asked."""

import gc
import re
import tracemalloc
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from unittest import mock
from uuid import uuid4

import pytest
from django.conf import LazySettings
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.db.models import F, Model
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.tokens.clock import EXPIRED, age, elapse
from tokens import users
from tokens.core import jwt
from tokens.models import RefreshToken
from tokens.revocation import LocalRevocationList

pytestmark = pytest.mark.urls("tests.tokens.urls")


@contextmanager
def counted(owner, name):
    """The calls of `owner.name` meanwhile, which goes on as ever."""
    with mock.patch.object(owner, name, autospec=True, side_effect=getattr(owner, name)) as calls:
        yield calls


def written_by(update):
    """The columns that an UPDATE sets."""
    return set(re.findall(r'(\w+)["`]? = ', update.partition(" SET ")[2].partition(" WHERE ")[0]))


def indexed():
    """The columns of all indexes of the table."""
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, "tokens_refreshtoken").values()
    return {column for constraint in found if constraint["index"] for column in constraint["columns"] if column}


def hot_updates():
    """How many rows of this transaction were updated without a word to an index; only PostgreSQL counts them."""
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = 'tokens_refreshtoken'")
        return cursor.fetchone()[0]


@pytest.fixture
def visitor(bob, signed_in):
    """Bob's browser, whose access token this process has seen."""
    visitor = signed_in(bob)
    visitor.get("/who/")
    return visitor


@pytest.mark.once
class TestASignedInRequest:
    """An ordinary page, the access token good and known."""

    @pytest.fixture
    def ask(self, visitor, settings):
        """`ask()`: the page by TokenMiddleware alone, without a client's machinery around it."""
        settings.MIDDLEWARE = ["tokens.middleware.TokenMiddleware"]
        handler = WSGIHandler()
        cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in visitor.cookies.items())

        def ask(path="/who/"):
            environ = RequestFactory().generic("GET", path, HTTP_COOKIE=cookies).environ
            response = handler(environ, lambda status, headers: None)
            response.close()
            return response.content

        assert ask() == b"bob"
        return ask

    def test_needs_no_query_and_no_session_of_djangos(self, ask, django_assert_num_queries):
        with django_assert_num_queries(0):
            assert ask() == b"bob"

    def test_leaves_nothing_to_the_collector_of_cycles(self, ask):
        gc.collect()
        gc.disable()
        try:
            ask()
            assert gc.collect() == 0
        finally:
            gc.enable()

    def test_does_nothing_again_that_was_done_for_the_same_token(self, ask):
        done = [(jwt, "read_access"), (jwt, "read_refresh"), (users, "fields_from_claims"), (Model, "__init__")]
        with ExitStack() as stack:
            calls = [stack.enter_context(counted(owner, name)) for owner, name in done]
            assert ask() == b"bob"
        assert [each.call_count for each in calls] == [0, 0, 0, 0]

    def test_looks_up_no_setting_of_ours(self, ask):
        with mock.patch.object(LazySettings, "__getattr__", autospec=True, side_effect=AttributeError) as missed:
            assert ask() == b"bob"
        assert [call.args[1] for call in missed.call_args_list if call.args[1].startswith("TOKENS_")] == []


class TestARefresh:
    def test_that_confirms_costs_one_select_and_one_update(self, visitor):
        """The access token being over as well, the refresh token speaks for itself."""
        for _ in range(2):
            elapse(EXPIRED, visitor)
            del visitor.cookies["__Host-access"]
            with CaptureQueriesContext(connection) as queries:
                assert visitor.get("/who/").content == b"bob"
        assert [query["sql"].split()[0] for query in queries] == ["SELECT", "UPDATE"]

    def test_writes_into_no_index(self, visitor):
        """Whoever is confirmed and seen stays in their page: a HOT update, in PostgreSQL's words."""
        visitor.get("/who/")
        elapse(2 * EXPIRED, visitor)
        RefreshToken.objects.update(last_used_at=F("last_used_at") - timedelta(hours=2))
        del visitor.cookies["__Host-access"]
        hot = hot_updates()
        with CaptureQueriesContext(connection) as queries:
            visitor.get("/who/")
            del visitor.cookies["__Host-access"]
            age(visitor, EXPIRED)
            visitor.get("/who/")
        written = [written_by(query["sql"]) for query in queries if query["sql"].startswith("UPDATE")]
        assert written == [{"last_used_at"}, {"generation", "jti"}]
        assert indexed().isdisjoint(set().union(*written) | {"version", "probed_jti", "probe_count"})
        assert hot_updates() - hot == (len(written) if connection.vendor == "postgresql" else 0)

    def test_finds_room_in_its_page(self, db):
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT reloptions FROM pg_class WHERE relname = 'tokens_refreshtoken'")
                assert cursor.fetchone() == (["fillfactor=90"],)


def test_many_sessions_are_ended_by_one_update(bob):
    now = timezone.now()
    times = {"created_at": now, "last_used_at": now, "expires_at": now + timedelta(days=1)}
    RefreshToken.objects.bulk_create(RefreshToken(user=bob, jti=uuid4(), **times) for _ in range(1_100))
    with CaptureQueriesContext(connection) as queries:
        assert RefreshToken.objects.revoke_for([bob], RefreshToken.Reason.ENDED) == 1_100
    assert len([query for query in queries if re.match("UPDATE .tokens_", query["sql"])]) == 1


@pytest.mark.once
def test_what_a_process_keeps_of_a_row_that_changed_is_small():
    """A hundred thousand of them stay under 25 MB."""
    rows, known = 5_000, LocalRevocationList()
    tracemalloc.start()
    try:
        known.entry("", lambda seconds: ((uuid4(), f"2026-01-01 00:00:00.{row:06}+00") for row in range(rows)))
        assert tracemalloc.get_traced_memory()[0] / rows < 250
    finally:
        tracemalloc.stop()
