"""Indexes are built, and tables changed, while people sign in."""

import subprocess
import sys
import threading
from contextlib import contextmanager

import psycopg
import pytest
from django.db import connection, connections, models
from django.db.migrations.state import ProjectState

from tests.conftest import PASSWORD
from tests.resilience import database
from tests.resilience.server import ROOT, Site
from tests.smtp import wait_until
from tokens.migrations._operations import AddIndexConcurrently, RemoveIndexConcurrently
from tokens.models import RefreshToken
from tokens.testing import Client

INDEX = models.Index(fields=["jti"], name="tokens_test_jti")
TABLE = RefreshToken._meta.db_table
LOGIN = "/accounts/login/"


def run(operation, *, backwards=False):
    """Run the operation as a migration that is not atomic does, in this thread and on its connection."""
    before = ProjectState.from_apps(RefreshToken._meta.apps)
    if isinstance(operation, RemoveIndexConcurrently):
        before.add_index("tokens", "refreshtoken", INDEX)
    after = before.clone()
    operation.state_forwards("tokens", after)
    with connection.schema_editor(atomic=False) as editor:
        if backwards:
            operation.database_backwards("tokens", editor, after, before)
        else:
            operation.database_forwards("tokens", editor, before, after)


def is_there():
    with connection.cursor() as cursor:
        return INDEX.name in connection.introspection.get_constraints(cursor, TABLE)


@pytest.mark.django_db(transaction=True)
class TestOperations:
    def test_an_index_is_added_and_removed_either_way_on_every_database(self):
        run(AddIndexConcurrently("RefreshToken", INDEX))
        assert is_there()
        run(RemoveIndexConcurrently("RefreshToken", INDEX.name))
        assert not is_there()
        run(RemoveIndexConcurrently("RefreshToken", INDEX.name), backwards=True)
        assert is_there()
        run(AddIndexConcurrently("RefreshToken", INDEX), backwards=True)
        assert not is_there()

    def test_what_an_interrupted_run_has_left_is_built_anew(self):
        if connection.vendor != "postgresql":
            return
        run(AddIndexConcurrently("RefreshToken", INDEX))
        with connection.cursor() as cursor:
            cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", [INDEX.name])
        for _ in range(2):  # and a valid one is taken as it is
            run(AddIndexConcurrently("RefreshToken", INDEX))
            with connection.cursor() as cursor:
                cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = %s::regclass", [INDEX.name])
                assert cursor.fetchone() == (True,)
        run(RemoveIndexConcurrently("RefreshToken", INDEX.name))

    def test_people_sign_in_while_an_index_is_built(self, bob):
        """It waits for a transaction that has written to the table; a plain one would have everybody wait behind it."""
        if connection.vendor != "postgresql":
            return
        failures = []

        def build():
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SET lock_timeout = '1ms'")  # which is for what others wait behind
                run(AddIndexConcurrently("RefreshToken", INDEX))
            except Exception as error:
                failures.append(error)
            finally:
                connections.close_all()

        builder = threading.Thread(target=build)
        with writing():
            builder.start()
            wait_until(lambda: failures or waiting("CREATE INDEX CONCURRENTLY"))
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '5s'")
            client = Client()
            assert client.post(LOGIN, {"username": "bob", "password": PASSWORD}).status_code == 302
            assert b"Hello, bob." in client.get("/").content
            assert builder.is_alive()
        builder.join()
        assert not failures and is_there()
        run(RemoveIndexConcurrently("RefreshToken", INDEX.name))


@contextmanager
def writing():
    """A transaction of another connection that has written to the table."""
    other = connection.copy()
    other.set_autocommit(False)
    try:
        with other.cursor() as cursor:
            cursor.execute("UPDATE tokens_refreshtoken SET generation = generation")
        yield
    finally:
        other.rollback()
        other.close()


def waiting(statement):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE %s", [f"{statement}%"]
        )
        return cursor.fetchone()[0]


@pytest.mark.slow
@pytest.mark.once
def test_migrate_gives_up_a_lock_that_others_wait_behind_and_tries_again(postgres_url, tmp_path):
    with database.one_more(postgres_url) as url, Site(tmp_path, url) as site:
        command = [sys.executable, "manage.py", "migrate", "tokens"]
        subprocess.run(command, cwd=ROOT, env=site.environment, check=True, stdout=subprocess.DEVNULL, timeout=60)
        with reading(url) as reader:
            migrating = subprocess.Popen(
                [*command, "zero"],
                cwd=ROOT,
                env=site.environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            said = migrating.stderr.readline()
            assert said == "A lock could not be had within 2 s. Trying again in 3 s.\n"
            database.execute(
                url, "SELECT count(*) FROM tokens_refreshtoken"
            )  # it still has all it had, and nobody waits
            reader.rollback()
        assert migrating.wait(60) == 0, migrating.stderr.read()
        migrating.stderr.close()
        assert database.execute(url, f"SELECT to_regclass('{TABLE}')") == [(None,)]


@contextmanager
def reading(url):
    """A transaction that has read the table, such as that of pg_dump."""
    where = database.parameters(url)
    with psycopg.connect(**where) as reader:
        reader.execute("SELECT count(*) FROM tokens_refreshtoken")
        yield reader
