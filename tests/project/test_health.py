"""Machines ask these without cookies; in trouble they get a short answer and never a traceback."""

import pytest
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder

from project import health
from tests import valkey
from tests.tokens.outage import gone

TOKEN = {"authorization": "Bearer let-me-read"}


@pytest.fixture(autouse=True)
def _anew(settings):
    """As a process that has not looked yet, and that knows who may be told all."""
    settings.METRICS_TOKEN = "let-me-read"
    health._all_migrated.cache_clear()
    yield
    health._all_migrated.cache_clear()


class TestAlive:
    def test_needs_no_database_and_does_not_look_at_cookies(self, client):
        response = client.get("/healthz", headers={"cookie": "__Host-access=x; __Host-refresh=y"})
        assert (response.status_code, response.json()) == (200, {"status": "ok"})
        assert not response.cookies and "Cookie" not in response.headers.get("Vary", "")

    def test_is_only_read(self, client):
        assert client.post("/healthz").status_code == 405


@pytest.fixture
def asked(client):
    """`asked()`: the status, what a stranger is told to be missing, and all that a watcher is told."""

    def asked():
        stranger, watcher = client.get("/readyz"), client.get("/readyz", headers=TOKEN)
        assert stranger.status_code == watcher.status_code and not stranger.cookies
        assert stranger.json().keys() <= {"status", "missing"}
        return stranger.status_code, stranger.json().get("missing", []), watcher.json()["checks"]

    return asked


@pytest.mark.django_db
class TestReady:
    def test_details_are_told_to_whoever_shows_the_token(self, asked):
        status, missing, checks = asked()
        assert (status, missing) == (200, [])
        assert set(checks) == {"database", "migrations", "keys", "cache"}
        assert all(check.keys() == {"ok", "seconds"} and check["ok"] for check in checks.values())

    @pytest.mark.parametrize(
        ("token", "shown"),
        [("let-me-read", "Bearer wrong"), ("let-me-read", "Bearer l\u00e9t-me-read"), ("", "Bearer ")],
    )
    def test_details_are_told_to_nobody_else(self, client, settings, token, shown):
        settings.METRICS_TOKEN = token
        assert client.get("/readyz", headers={"authorization": shown}).json() == {"status": "ok"}

    def test_a_database_that_is_gone(self, asked):
        with gone():
            status, missing, checks = asked()
        assert (status, missing) == (503, ["database"])
        assert checks["database"]["trouble"] == "OperationalError: the server has gone"

    def test_hold_no_secret_of_the_settings(self, asked, settings, monkeypatch):
        def check():
            raise OperationalError(f"no access with {settings.SECRET_KEY}")

        monkeypatch.setitem(health.CHECKS, "database", check)
        assert asked()[2]["database"]["trouble"] == "OperationalError: no access with [redacted]"

    def test_a_migration_that_is_missing(self, asked):
        MigrationRecorder(connection).record_unapplied("accounts", "0001_initial")
        status, missing, checks = asked()
        assert (status, missing) == (503, ["migrations"])
        assert checks["migrations"]["trouble"] == "LookupError: Not applied: accounts.0001_initial."
        MigrationRecorder(connection).record_applied("accounts", "0001_initial")
        assert asked()[0] == 200

    def test_migrations_that_are_in_order_are_not_looked_for_again(self, client, django_assert_num_queries):
        client.get("/readyz")
        with django_assert_num_queries(1) as queries:
            client.get("/readyz")
        assert queries[0]["sql"] == "SELECT 1"

    def test_keys_that_cannot_be_used(self, asked, settings, tmp_path):
        asked()  # a server does not start without keys
        (tmp_path / "keys.json").write_text('{"keys": []}')
        settings.TOKENS_KEYS = str(tmp_path / "keys.json")
        status, missing, checks = asked()
        assert (status, missing) == (503, ["keys"])
        assert checks["keys"]["trouble"].startswith("InvalidKeys: ")

    def test_a_cache_that_is_gone_does_no_harm_unless_it_has_the_list_of_what_is_revoked(self, asked, settings):
        with valkey.running() as server:
            settings.CACHES = dict.fromkeys(("default", "list"), valkey.backend(server))
            assert asked()[0] == 200
            server.stop()
            status, missing, checks = asked()
            assert (status, missing, checks["cache"]["ok"]) == (200, [], False)
            settings.TOKENS_REVOCATION_CACHE = "list"
            status, missing, checks = asked()
            assert (status, missing) == (503, ["cache"])
            assert checks["cache"]["trouble"].startswith("ConnectionError: ")
            server.start()
            assert asked()[0] == 200
