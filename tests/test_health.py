"""Machines ask these without cookies; in trouble they get a short answer and never a traceback."""

import pytest
from django.db import OperationalError, connection

from project import health


def failing(*arguments, **options):
    raise OperationalError("no database: connection to 10.1.2.3 refused")


class TestAlive:
    def test_needs_no_database(self, client):
        response = client.get("/healthz")
        assert (response.status_code, response.json()) == (200, {"status": "ok"})

    def test_sets_no_cookie_and_does_not_vary_by_it(self, client):
        response = client.get("/healthz", headers={"cookie": "__Host-access=x; __Host-refresh=y"})
        assert not response.cookies
        assert "Cookie" not in response.headers.get("Vary", "")

    def test_is_only_read(self, client):
        assert client.post("/healthz").status_code == 405


@pytest.mark.django_db
class TestReady:
    def test_says_so(self, client):
        response = client.get("/readyz")
        assert (response.status_code, response.json()) == (200, {"status": "ok"})
        assert not response.cookies

    def test_names_a_database_that_does_not_answer_and_tells_no_more(self, client, monkeypatch):
        monkeypatch.setattr(connection, "cursor", failing)
        response = client.get("/readyz")
        assert response.status_code == 503
        assert response.json() == {"status": "unavailable", "missing": ["database"]}

    def test_names_keys_that_cannot_be_built(self, client, monkeypatch):
        client.get("/readyz")  # a server does not start without keys
        monkeypatch.setattr(health.conf.__class__, "key_ring", property(failing))
        assert client.get("/readyz").json()["missing"] == ["keys"]
