"""What Prometheus reads, and nobody else: branches, outcomes, reasons, costs, lag, and what the database says."""

import time
from datetime import timedelta
from time import monotonic

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts.db_metrics import db_metrics
from accounts.models import OutgoingMail
from tests import valkey
from tests.tokens.clock import copy_of, elapse
from tests.tokens.outage import gone
from tokens import verification
from tokens.models import RefreshToken
from tokens.testing import Client

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]

LOGIN = "/accounts/login/"
EXPIRED = 16 * 60


@pytest.fixture
def read(metrics):
    """`read(name)`: the values of a metric, by that of its only label, or its only value."""

    def read(name):
        samples = [sample for family in metrics() for sample in family.samples if sample.name == f"sojourn_{name}"]
        if samples and not samples[0].labels:
            return samples[0].value
        return {next(iter(sample.labels.values())): sample.value for sample in samples}

    return read


@pytest.fixture
def grown(read):
    """`grown(name)`: by how much a counter has grown since the test began, by its label, where it has."""
    names = ("tokens", "throttled", "sign_ins", "revocations")
    before = {name: read(f"{name}_total") for name in names}

    def grown(name):
        past = before[name]
        changes = {label: value - past.get(label, 0) for label, value in read(f"{name}_total").items()}
        return {label: change for label, change in changes.items() if change}

    return grown


class TestCounted:
    def test_each_branch(self, bob, sign_in, grown):
        browser = Client()
        sign_in(browser, bob)
        old = copy_of(browser)
        for _ in range(2):
            elapse(EXPIRED, browser, old)
            browser.get("/")
        old.get("/", follow=True)
        assert grown("tokens") == {"child": 1, "confirmed_by_refresh": 1, "probed": 1, "reused": 1}

    def test_sign_ins_by_outcome_and_whatever_has_to_wait(self, bob, sign_in, grown):
        sign_in(Client(), bob)
        for number in range(11):
            Client().post(LOGIN, {"username": "bob", "password": f"wrong {number}"})
        assert grown("sign_ins") == {"opened": 1, "refused": 10, "throttled": 1}
        assert grown("throttled") == {"sign-in": 1}

    def test_every_session_that_ends_by_its_reason(self, bob, sign_in, client, grown):
        for _ in range(3):
            Client().force_login(bob)
        sign_in(client, bob)
        client.post("/accounts/sessions/end-others/")
        for _ in range(2):
            client.post("/accounts/logout/")
        assert grown("revocations") == {"ended": 3, "signed_out": 1}

    def test_no_change_that_is_rolled_back(self, bob, grown):
        Client().force_login(bob)
        with transaction.atomic():
            RefreshToken.objects.for_user(bob).revoke(RefreshToken.Reason.ENDED)
            transaction.set_rollback(True)
        assert grown("revocations") == {}

    def test_the_cost_of_a_token_that_is_new_to_the_process_and_of_no_other(self, bob, client, read):
        client.force_login(bob)
        verification.forget()
        before = read("verification_seconds_count")
        for _ in range(3):
            client.get("/")
        now = read("verification_seconds_count")
        assert now["access"] - before["access"] == 1
        elapse(EXPIRED, client)
        client.get("/")
        assert read("verification_seconds_count")["refresh"] > now.get("refresh", 0)


class TestLag:
    def test_grows_while_the_list_cannot_be_read_and_is_gone_when_it_can(self, bob, client, read, settings):
        client.force_login(bob)
        settings.TOKENS_REVOCATION_LAG = 0
        lags = []
        for away in (False, True, True, False):
            if away:
                with gone():
                    client.get("/")
            else:
                client.get("/")
            lags.append(read("revocation_lag_seconds")["process"])
        assert lags[2] > lags[1] > lags[0] == lags[3] == 0

    def test_of_the_shared_list_too(self, bob, client, read, settings):
        with valkey.running() as server:
            settings.CACHES = {**settings.CACHES, "list": valkey.backend(server)}
            settings.TOKENS_REVOCATION_CACHE = "list"
            client.force_login(bob)
            client.get("/")
            assert read("revocation_lag_seconds")["shared"] == 0
            server.stop()
            client.get("/")
            assert read("revocation_lag_seconds")["shared"] > 0


class TestRead:
    def test_live_sessions_alone(self, bob, read):
        for _ in range(4):
            Client().force_login(bob)
        ids = RefreshToken.objects.values_list("pk", flat=True)
        RefreshToken.objects.filter(pk=ids[0]).revoke(RefreshToken.Reason.ENDED)
        RefreshToken.objects.filter(pk=ids[1]).update(expires_at=timezone.now())
        assert read("live_sessions") == 2

    def test_mails_that_wait_and_for_how_long(self, db, read):
        assert read("mails_waiting") == read("mails_oldest_seconds") == 0
        now = timezone.now()
        for minutes in (1, 10):
            times = {"created_at": now - timedelta(minutes=minutes), "due_at": now + timedelta(hours=1)}
            OutgoingMail.objects.create(kind="x", to="b@example.org", language="en", **times)
        db_metrics.forget()
        assert read("mails_waiting") == 2
        assert read("mails_oldest_seconds") >= 600

    def test_at_two_queries_and_then_for_a_while_at_none(self, db, read, django_assert_num_queries):
        for number in (2, 0):
            with django_assert_num_queries(number):
                read("live_sessions")

    def test_for_a_hundred_times_as_long_as_it_took(self, db, read):
        def wait(execute, *arguments):
            time.sleep(0.2)
            return execute(*arguments)

        before = monotonic()
        with connection.execute_wrapper(wait):
            read("live_sessions")
        assert db_metrics._cached_until > before + 20

    def test_is_missing_while_the_database_is_away_and_the_counters_are_not(self, bob, read):
        Client().force_login(bob)
        with gone():
            assert read("live_sessions") == {}
            assert read("sign_ins_total")["opened"] >= 1
        db_metrics.forget()
        assert read("live_sessions") == 1


class TestReaders:
    @pytest.mark.parametrize(
        ("token", "shown"), [("let-me-read", ""), ("let-me-read", "Bearer wrong"), ("let", "let"), ("", "Bearer ")]
    )
    def test_nobody_else_learns_that_there_is_anything(self, db, settings, token, shown):
        settings.METRICS_TOKEN = token
        assert Client().get("/metrics", headers={"authorization": shown}).status_code == 404
