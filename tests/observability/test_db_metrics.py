"""What Prometheus reads beside what test_metrics.py has: outcomes, reasons, costs, lag, and the database's."""

import time
from datetime import timedelta
from time import monotonic

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.db_metrics import db_metrics
from accounts.models import OutgoingMail
from tests import valkey
from tests.project.test_settings import documented, manage
from tests.tokens.clock import elapse
from tests.tokens.outage import gone
from tokens import verification
from tokens.models import RefreshToken
from tokens.testing import Client

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]

LOGIN = "/accounts/login/"
EXPIRED = 16 * 60


@pytest.fixture
def read(settings):
    settings.METRICS_TOKEN = "let-me-read"
    db_metrics.forget()

    def read():
        response = Client().get("/metrics", headers={"authorization": "Bearer let-me-read"})
        assert response.status_code == 200
        lines = [line.rpartition(" ") for line in response.content.decode().splitlines() if line[0] != "#"]
        return {name: float(value) for name, _, value in lines if name.startswith("sojourn_")}

    return read


@pytest.fixture
def grown(read):
    """`grown()`: what has changed since it was last asked, without the parts of histograms."""
    before = read()

    def grown():
        nonlocal before
        before, past = read(), before
        changes = {name: before[name] - past.get(name, 0) for name in before if not name.startswith(PARTS)}
        return {name: change for name, change in changes.items() if change}

    return grown


PARTS = (
    "sojourn_verification_seconds_bucket",
    "sojourn_verification_seconds_sum",
    "sojourn_tokens",
    "sojourn_revocation_lag",
)


class TestCounted:
    def test_sign_ins_by_outcome(self, bob, sign_in, grown):
        sign_in(Client(), bob)
        for _ in range(11):
            Client().post(LOGIN, {"username": "bob", "password": "wrong"})
        found = grown()
        assert found['sojourn_sign_ins_total{outcome="opened"}'] == 1
        assert found['sojourn_sign_ins_total{outcome="refused"}'] == 10
        assert found['sojourn_sign_ins_total{outcome="throttled"}'] == 1

    def test_every_session_that_ends_by_its_reason(self, bob, sign_in, client, grown):
        for _ in range(3):
            Client().force_login(bob)
        sign_in(client, bob)
        client.post("/accounts/sessions/end-others/")
        client.post("/accounts/logout/")
        client.post("/accounts/logout/")
        found = grown()
        assert found['sojourn_revocations_total{reason="ended"}'] == 3
        assert found['sojourn_revocations_total{reason="signed_out"}'] == 1

    def test_a_change_that_is_rolled_back_ended_nothing(self, bob, grown):
        Client().force_login(bob)
        with transaction.atomic():
            RefreshToken.objects.for_user(bob).revoke(RefreshToken.Reason.ENDED)
            transaction.set_rollback(True)
        assert 'sojourn_revocations_total{reason="ended"}' not in grown()

    def test_the_cost_of_a_token_that_is_new_to_the_process_and_of_no_other(self, bob, client, grown):
        client.force_login(bob)
        verification.forget()
        grown()
        for _ in range(3):
            client.get("/")
        assert grown()['sojourn_verification_seconds_count{kind="access"}'] == 1
        elapse(EXPIRED, client)
        client.get("/")
        assert grown()['sojourn_verification_seconds_count{kind="refresh"}'] >= 1


class TestLag:
    NAME = 'sojourn_revocation_lag_seconds{list="%s"}'

    def test_grows_while_the_list_cannot_be_read_and_is_gone_when_it_can(self, bob, client, read, settings):
        client.force_login(bob)
        settings.TOKENS_REVOCATION_LAG = 0
        client.get("/")
        assert read()[self.NAME % "process"] == 0
        with gone():
            client.get("/")
        first = read()[self.NAME % "process"]
        with gone():
            client.get("/")
        assert read()[self.NAME % "process"] > first > 0
        client.get("/")
        assert read()[self.NAME % "process"] == 0

    def test_of_the_shared_list_too(self, bob, client, read, settings):
        with valkey.running() as server:
            settings.CACHES = {"default": valkey.backend(server)}
            settings.TOKENS_REVOCATION_CACHE = "default"
            client.force_login(bob)
            client.get("/")
            assert read()[self.NAME % "shared"] == 0
            server.stop()
            client.get("/")
            assert read()[self.NAME % "shared"] > 0


class TestRead:
    def test_live_sessions_alone(self, bob, read):
        for _ in range(4):
            Client().force_login(bob)
        ids = RefreshToken.objects.values_list("pk", flat=True)
        RefreshToken.objects.filter(pk=ids[0]).revoke(RefreshToken.Reason.ENDED)
        RefreshToken.objects.filter(pk=ids[1]).update(expires_at=timezone.now())
        assert read()["sojourn_live_sessions"] == 2

    def test_mails_that_wait_and_for_how_long(self, db, read):
        assert read()["sojourn_mails_waiting"] == read()["sojourn_mails_oldest_seconds"] == 0
        for minutes in (1, 10):
            created_at = timezone.now() - timedelta(minutes=minutes)
            later = timezone.now() + timedelta(hours=1)
            OutgoingMail.objects.create(
                kind="x", to="b@example.org", language="en", created_at=created_at, due_at=later
            )
        db_metrics.forget()
        found = read()
        assert found["sojourn_mails_waiting"] == 2
        assert found["sojourn_mails_oldest_seconds"] >= 600

    def test_at_two_queries_and_then_for_a_while_at_none(self, db, read):
        counts = []
        for _ in range(2):
            with CaptureQueriesContext(connection) as queries:
                read()
            counts.append(len(queries))
        assert counts == [2, 0]

    def test_for_a_hundred_times_as_long_as_it_took(self, db, read):
        def wait(execute, *arguments):
            time.sleep(0.2)
            return execute(*arguments)

        before = monotonic()
        with connection.execute_wrapper(wait):
            read()
        assert db_metrics._kept_until > before + 20

    def test_are_missing_while_the_database_is_away_and_the_counters_are_not(self, bob, read):
        Client().force_login(bob)
        with gone():
            found = read()
        assert "sojourn_live_sessions" not in found
        assert found['sojourn_sign_ins_total{outcome="opened"}'] >= 1
        db_metrics.forget()
        assert read()["sojourn_live_sessions"] == 1


def test_the_page_can_be_elsewhere():
    asked = "from django.urls import reverse; print(reverse('metrics'))"
    done = manage(
        "shell", "-v0", "-c", asked, **documented(METRICS_PATH="/internal/counts/", DATABASE_URL="sqlite://:memory:")
    )
    assert done.stdout.strip() == "/internal/counts"
