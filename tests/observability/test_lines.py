"""What a line of the log says, whose it is, and that nobody else writes one."""

import logging
import re

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.urls import include, path

from accounts.models import SecurityEvent
from project import logs, urls
from tests.conftest import PASSWORD
from tests.tokens.clock import copy_of, elapse
from tokens.models import RefreshToken
from tokens.testing import AsyncClient, Client

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]

LOGIN = "/accounts/login/"
EXPIRED = 16 * 60
ESCAPES = "\r\n2026-01-01T00:00:00Z [critical ] forged \x1b[31mred\x1b[0m\x07\u2028\u202egnp.exe\x85"
BEGINNING = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z \[|    ")


@login_not_required
def broken(request):
    raise RuntimeError(ESCAPES)


handler500 = urls.handler500
urlpatterns = [path("broken/", broken), path("", include("project.urls"))]


class TestFields:
    def test_a_sign_in_has_its_name_its_person_its_session_and_its_request(self, bob, sign_in, client, written):
        answer = sign_in(client, bob)
        [line] = written.of("signed_in")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line.pop("timestamp"))
        assert line == {
            "level": "info",
            "logger": "accounts",
            "event": "signed_in",
            "message": "Signed in.",
            "request_id": answer.headers["X-Request-ID"],
            "user_id": str(bob.pk),
            "session_id": str(RefreshToken.objects.get().pk),
            "method": "POST",
            "path": "/accounts/login/",
        }

    def test_a_branch_has_its_name_and_why(self, bob, sign_in, client, written):
        sign_in(client, bob)
        old = copy_of(client)
        for _ in range(2):
            elapse(EXPIRED, client, old)
            client.get("/")
        old.get("/", follow=True)
        client.get("/")
        [reused] = written.of("token_reused")
        assert (reused["level"], reused["token_event"]) == ("warning", "reused")
        [ended] = written.of("sessions_ended")
        assert (ended["reason"], ended["count"]) == ("reused", 1)
        assert {line["reason"] for line in written.of("token_dead")} == {"reused"}
        assert {line["session_id"] for line in (reused, *written.of("token_dead"))} == {
            str(RefreshToken.objects.get().pk)
        }

    def test_what_happened_is_told_in_english_whoever_asks(self, bob, written):
        german = {"accept-language": "de"}
        Client(headers=german).post(LOGIN, {"username": "bob", "password": "wrong"})
        [line] = written.of("sign_in_failed")
        assert line["message"] == "A sign-in failed."

    def test_what_an_administrator_did_is_about_somebody_else(self, alice, bob, sign_in, client, written):
        Client().force_login(bob)
        row = bob.refresh_tokens.get()
        sign_in(client, alice)
        SecurityEvent.objects.record(None, bob, SecurityEvent.Kind.SESSION_ENDED, session_id=row.pk, actor=alice)
        client.post("/admin/accounts/user/", {"action": "deactivate", "_selected_action": bob.pk})
        [ended] = written.of("session_ended")
        assert (ended["user_id"], ended["session_id"], ended["actor_id"]) == (str(bob.pk), str(row.pk), str(alice.pk))
        [closed] = written.of("deactivated")
        assert (closed["user_id"], closed["actor_id"]) == (str(bob.pk), str(alice.pk))
        assert "session_id" not in closed

    def test_a_stranger_is_not_whoever_is_signed_in_in_the_same_browser(self, bob, sign_in, client, written):
        sign_in(client, bob)
        client.post("/accounts/password/reset/", {"email": "nobody@example.org"})
        client.post("/accounts/password/reset/", {"email": bob.email})
        assert [line.get("user_id") for line in written.of("reset_asked")] == [None, str(bob.pk)]

    def test_an_address_is_told_by_its_route(self, bob, sign_in, client, written):
        sign_in(client, bob)
        client.post(f"/accounts/sessions/{bob.refresh_tokens.get().pk}/end/")
        [ended] = written.of("sessions_ended")
        assert ended["path"] == "/accounts/sessions/<uuid:pk>/end/"

    def test_an_address_that_leads_nowhere_is_told_without_what_may_be_a_secret(self, client, db, written):
        client.get("/accounts/password/rest/MQ/d1abcd-0123456789abcdef0123456789abcdef/?secret=x")
        [refused] = written.of("request_refused")
        assert (refused["status"], refused["path"]) == (404, "/accounts/password/rest/MQ/[redacted]/")

    def test_a_password_that_is_a_word_of_the_log_is_not_told_by_its_absence(self, client, bob, written):
        for word in ("accounts", "sign_in_failed", "warning"):
            client.post(LOGIN, {"username": "bob", "password": word})
        for line in written.of("sign_in_failed"):
            assert (line["logger"], line["path"], line["message"]) == ("accounts", LOGIN, "A sign-in failed.")
        assert len(written.of("sign_in_failed")) == 3

    def test_what_waits_says_for_what(self, bob, written):
        for _ in range(11):
            last = Client().post(LOGIN, {"username": "bob", "password": "wrong"})
        assert last.status_code == 429
        assert {line["limit"] for line in written.of("throttled")} == {"sign-in"}

    def test_whatever_else_hangs_on_a_record_is_left_out(self, written):
        logging.getLogger("tokens").info("Hello.", extra={"kind": "greeted", "jar": {"access": "x"}})
        [line] = written.of("greeted")
        assert line.keys() == {"timestamp", "level", "logger", "event", "message"}

    def test_what_is_rolled_back_never_happened(self, bob, written):
        with transaction.atomic():
            bob.refresh_tokens.model.objects.start(bob)
            bob.refresh_tokens.all().revoke("ended")
            transaction.set_rollback(True)
        assert not written.of("sessions_ended")


class TestRequestId:
    def test_is_the_same_in_the_answer_and_in_every_line(self, bob, client, written):
        answer = client.post(LOGIN, {"username": "bob", "password": "wrong"})
        assert {line["request_id"] for line in written.lines} == {answer.headers["X-Request-ID"]}

    def test_is_another_for_each_request(self, client, db):
        assert len({client.get("/healthz").headers["X-Request-ID"] for _ in range(5)}) == 5

    @pytest.mark.parametrize(("hops", "taken"), [(0, False), (1, True)])
    def test_is_that_of_a_trusted_proxy_alone(self, client, settings, hops, taken):
        settings.TRUSTED_PROXIES = hops
        answer = client.get("/healthz", headers={"x-request-id": "0af7651916cd43dd8448eb211c80319c"})
        assert (answer.headers["X-Request-ID"] == "0af7651916cd43dd8448eb211c80319c") is taken

    @pytest.mark.parametrize(
        "given", ["", "short", "x" * 65, "a b c d e f", "<b>request</b>", "request\x1b[31m", "müller-lüd"]
    )
    def test_is_short_and_plain(self, client, settings, given):
        settings.TRUSTED_PROXIES = 1
        answer = client.get("/healthz", headers={"x-request-id": given})
        assert re.fullmatch("[0-9a-f]{16}", answer.headers["X-Request-ID"])

    def test_comes_with_errors_too(self, client, db):
        client.raise_request_exception = False
        for url, status in (("/nowhere/", 404), ("/broken/", 500)):
            answer = client.get(url)
            assert answer.status_code == status and answer.headers["X-Request-ID"]

    def test_stands_on_the_page_that_says_that_something_broke(self, client, db, written):
        client.raise_request_exception = False
        page = client.get("/broken/").content.decode()
        [failed] = written.of("request_failed")
        assert f"<code>{failed['request_id']}</code>" in page

    def test_belongs_to_nothing_after_the_answer(self, client, bob, written):
        client.get("/")
        logging.getLogger("tokens").info("Later.", extra={"kind": "later"})
        [line] = written.of("later")
        assert "request_id" not in line

    def test_holds_in_the_event_loop(self, bob, written):
        browsers = [AsyncClient() for _ in range(3)]
        answers = [async_to_sync(browser.post)(LOGIN, {"username": "bob", "password": "no"}) for browser in browsers]
        failed = [line["request_id"] for line in written.of("sign_in_failed")]
        assert failed == [answer.headers["X-Request-ID"] for answer in answers]


class TestNoise:
    def test_a_foreign_host_is_one_line_and_no_error(self, client, written):
        assert client.get("/", headers={"host": "evil.example"}).status_code == 400
        [line] = [line for line in written.lines if line["level"] != "debug"]
        assert (line["logger"], line["level"]) == ("django.security.DisallowedHost", "warning")
        assert "exception" not in line

    def test_somebody_who_is_no_member_of_staff_is_one_line(self, bob, sign_in, client, written):
        sign_in(client, bob)
        assert client.get("/admin/").status_code == 403
        [line] = written.of("request_refused")
        assert (line["user_id"], line["status"]) == (str(bob.pk), 403)
        assert "exception" not in line

    def test_a_mistake_of_ours_has_its_traceback(self, client, db, written):
        client.raise_request_exception = False
        client.get("/broken/")
        [line] = written.of("request_failed")
        assert line["level"] == "error"
        assert "in broken" in line["exception"]


class TestForging:
    @pytest.fixture
    def unforged(self, written):
        """`unforged()`: each line of the text begins as lines do, and moves no terminal; each of the JSON is ASCII."""

        def unforged():
            assert written.text and "forged" in written.text
            for line in written.text.removesuffix("\n").split("\n"):
                assert BEGINNING.match(line) and line.isprintable(), ascii(line)
            assert written.json.isascii() and written.lines

        return unforged

    def test_by_a_path_a_host_or_a_header(self, client, db, unforged):
        client.get("/" + ESCAPES)
        client.get("/", headers={"host": f"evil{ESCAPES}", "user-agent": ESCAPES})
        client.get("/accounts/logout/", headers={"user-agent": ESCAPES, "referer": ESCAPES})
        unforged()

    def test_by_a_name_or_a_password(self, client, bob, unforged):
        client.post(LOGIN, {"username": f"bob{ESCAPES}", "password": PASSWORD})
        client.post(LOGIN, {"username": "bob", "password": ESCAPES})
        logging.getLogger("accounts").warning("Somebody is called %s.", ESCAPES, extra={"reason": ESCAPES})
        unforged()

    def test_by_a_mistake(self, client, db, unforged):
        client.raise_request_exception = False
        client.get("/broken/")
        unforged()


class TestForm:
    @pytest.mark.parametrize(
        ("environment", "form"),
        [
            ({}, "json"),
            ({"DEBUG": "true"}, "text"),
            ({"DEBUG": "true", "LOG_FORMAT": "json"}, "json"),
            ({"LOG_FORMAT": "text"}, "text"),
        ],
    )
    def test_is_for_people_while_debugging_and_for_machines_in_production(self, monkeypatch, environment, form):
        for name in ("DEBUG", "LOG_FORMAT"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        assert logs.form_of_environment() == form

    @pytest.mark.parametrize("level", logs.LEVELS)
    def test_a_level_is_that_of_the_sites_own_code(self, level):
        loggers = logs.configuration("json", level)["loggers"]
        assert loggers["tokens"]["level"] == loggers["accounts"]["level"] == level.upper()
