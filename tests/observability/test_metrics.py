"""What Prometheus reads, and nobody else: branches, outcomes, reasons, costs, lag, and what the database says."""

import asyncio
import os
import re
import time
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import pyotp
import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.db.utils import ConnectionHandler
from django.test import RequestFactory
from django.utils import timezone
from environ import Env
from prometheus_client.mmap_dict import MmapedDict, mmap_key

from accounts.db_metrics import db_metrics
from accounts.factors import totp
from accounts.models import Authenticator, OutgoingMail, SecurityEvent
from accounts.models.security_event import EVENT_RETENTION
from project import health, http_metrics
from tests import postgres, valkey
from tests.conftest import PASSWORD
from tests.tokens.clock import EXPIRED, elapse, left_behind
from tests.tokens.outage import gone
from tokens import verification
from tokens.core import keyfile
from tokens.core.keys import generate_jwks
from tokens.models import KEPT_AFTER_END, RefreshToken
from tokens.testing import Client

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]

LOGIN = "/accounts/login/"


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
def read_all(metrics):
    """`read_all(name)`: the values of a metric, by those of its labels in alphabetical order."""

    def read_all(name):
        samples = [sample for family in metrics() for sample in family.samples if sample.name == f"sojourn_{name}"]
        return {tuple(sample.labels.values()): sample.value for sample in samples}

    return read_all


@pytest.fixture
def grown(read):
    """`grown(name)`: by how much a counter has grown since the test began, by its label, where it has."""
    names = ("tokens", "throttled", "sign_ins", "second_factors", "revocations")
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
        old = left_behind(browser)
        old.get("/", follow=True)
        assert grown("tokens") == {"child": 1, "confirmed_by_refresh": 1, "probed": 1, "reused": 1}

    def test_sign_ins_by_outcome_and_whatever_has_to_wait(self, bob, sign_in, grown):
        sign_in(Client(), bob)
        for number in range(11):
            Client().post(LOGIN, {"username": "bob", "password": f"wrong {number}"})
        assert grown("sign_ins") == {"opened": 1, "refused": 10, "throttled": 1}
        assert grown("throttled") == {"sign-in": 1}

    def test_second_factors_by_outcome(self, bob, grown):
        secret = totp.new_secret()
        Authenticator.objects.create(user=bob, secret=totp.encrypt(secret))
        browser = Client()
        for code in ("000000", pyotp.TOTP(secret).now()):
            browser.post(LOGIN, {"username": "bob", "password": PASSWORD})
            browser.post("/accounts/second-factor/", {"code": code, "trust": "on"})
        browser.post("/accounts/logout/")
        browser.post(LOGIN, {"username": "bob", "password": PASSWORD})
        assert grown("second_factors") == {"asked": 2, "refused": 1, "code": 1, "spared": 1}

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

    def test_for_how_long_each_daily_command_has_left_something_undone(self, bob, read):
        assert read("overdue_seconds") == {"cleartokens": 0, "tidyaccounts": 0}
        Client().force_login(bob)
        now, day = timezone.now(), timedelta(days=1)
        RefreshToken.objects.update(expires_at=now - KEPT_AFTER_END - 3 * day)
        SecurityEvent.objects.create(kind="signed_in", created_at=now - EVENT_RETENTION - 2 * day)
        db_metrics.forget()
        found = {command: seconds // 86400 for command, seconds in read("overdue_seconds").items()}
        assert found == {"cleartokens": 3, "tidyaccounts": 2}
        for command in found:
            call_command(command)
        db_metrics.forget()
        assert read("overdue_seconds") == {"cleartokens": 0, "tidyaccounts": 0}

    def test_how_old_the_key_is_and_how_full_the_status_list(self, bob, read, settings, tmp_path):
        settings.TOKENS_KEYS = str(tmp_path / "keys.json")
        settings.TOKENS_STATUS_LIST = 1024
        keyfile.write(tmp_path / "keys.json", generate_jwks("ES256", int(time.time()) - 1000))
        for number in range(4):
            Client().force_login(bob)
            RefreshToken.objects.filter(status_index=None).update(status_index=number)
        assert 1000 <= read("key_age_seconds") < 2000
        assert read("status_list_used_ratio") == 4 / 1024

    def test_how_many_connections_postgresql_has_and_may_have(self, db, read, monkeypatch):
        with postgres.running() as url:
            there = ConnectionHandler({"default": Env.db_url_config(url)})["default"]
            monkeypatch.setattr("accounts.db_metrics.connection", there)
            db_metrics.forget()
            assert read("db_connections") == 1
            assert read("db_connections_limit") == 200 - 3  # which it keeps for superusers
            there.close()

    def test_which_check_fails(self, db, read, settings):
        assert set(read("check_ok").values()) == {1}
        settings.CACHES = {**settings.CACHES, "default": {**settings.CACHES["default"], "BACKEND": "no.such.Cache"}}
        assert read("check_ok") == {"database": 1, "migrations": 1, "keys": 1, "cache": 0}

    def test_at_five_queries_and_then_for_a_while_at_none_but_the_check_of_readyz(
        self, db, read, django_assert_num_queries
    ):
        health.check_migrations()  # which is looked at once
        for number in (6, 1) if connection.vendor != "postgresql" else (7, 1):
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


class TestRequests:
    def test_each_by_its_view_and_its_status(self, bob, client, read_all):
        client.raise_request_exception = False
        before = read_all("http_responses_total")
        client.force_login(bob)
        for path in ("/", "/", "/no/such/page/", f"/{'x' * 60}"):
            client.get(path)
        client.generic("BREW", "/")
        now = read_all("http_responses_total")
        grown = {labels: value - before.get(labels, 0) for labels, value in now.items()}
        assert grown["200", "home"] == 2 and grown["404", "none"] == 2
        assert read_all("http_in_flight") == {("GET",): 1, ("HEAD",): 0, ("POST",): 0, ("other",): 0}  # the scrape

    def test_those_that_fail_too(self, db, read_all, settings):
        settings.ROOT_URLCONF = "tests.observability.urls"
        broken = "500", "tests.observability.urls.broken"
        before = read_all("http_responses_total").get(broken, 0)
        client = Client(raise_request_exception=False)
        client.get("/broken/")
        assert read_all("http_responses_total")[broken] == before + 1

    def test_those_of_which_the_visitor_does_not_wait_for_the_end(self):
        async def leave(request):
            raise asyncio.CancelledError

        counter, gauge = http_metrics.RESPONSES.labels("none", "499"), http_metrics.IN_FLIGHT.labels("GET")
        before = counter._value.get(), gauge._value.get()
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(http_metrics.HttpMetricsMiddleware(leave)(RequestFactory().get("/")))
        assert (counter._value.get(), gauge._value.get()) == (before[0] + 1, before[1])


class TestWorkers:
    @pytest.fixture
    def folder(self, monkeypatch):
        """What a worker has counted, in a folder that everybody may enter, as the server's user is not root."""
        with TemporaryDirectory() as name:
            folder = Path(name)
            folder.chmod(0o755)
            monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", name)
            counted = MmapedDict(str(folder / "counter_1.db"))
            counted.write_value(
                mmap_key("sojourn_sign_ins", "sojourn_sign_ins_total", ["outcome"], ["opened"], ""), 7, 0
            )
            counted.close()
            yield folder

    def test_a_file_of_roots_hides_no_other_and_is_told_once(self, db, folder, read_all, caplog):
        """Only root may read it."""
        (folder / "counter_1.db").chmod(0o644)
        (folder / "counter_2.db").touch(mode=0o000)
        read_all("check_ok")  # what is imported late is read by root
        user = os.geteuid()
        os.seteuid(65534 if user == 0 else user)
        try:
            for _ in range(2):
                assert read_all("sign_ins_total") == {("opened",): 7}
        finally:
            os.seteuid(user)
        assert [record.getMessage() for record in caplog.records if "counter_2.db" in record.getMessage()] == [
            f"Metrics in {folder}/counter_2.db cannot be read and are left out: Permission denied."
        ]

    def test_each_that_lives_by_its_memory(self, db, folder, settings):
        settings.METRICS_TOKEN = "let-me-read"
        for pid in (os.getpid(), 2**22 + 1):  # the latter is above Linux's highest
            (folder / f"gauge_livesum_{pid}.db").write_bytes((folder / "counter_1.db").read_bytes())
        text = Client().get("/metrics", headers={"authorization": "Bearer let-me-read"}).content.decode()
        assert re.findall(r'^process_resident_memory_bytes{pid="(\d+)"} [\d.e+]+$', text, re.M) == [str(os.getpid())]


class TestReaders:
    @pytest.mark.parametrize(
        ("token", "shown"), [("let-me-read", ""), ("let-me-read", "Bearer wrong"), ("let", "let"), ("", "Bearer ")]
    )
    def test_nobody_else_learns_that_there_is_anything(self, db, settings, token, shown):
        settings.METRICS_TOKEN = token
        assert Client().get("/metrics", headers={"authorization": shown}).status_code == 404
