"""What a line of the log says, whose it is, and that nobody else writes one."""

import logging
import re

import pytest
from asgiref.sync import async_to_sync
from django.db import transaction

from accounts.models import SecurityEvent
from project import logs
from tests.conftest import PASSWORD
from tests.observability.urls import ESCAPES
from tests.tokens.clock import left_behind
from tokens.models import RefreshToken
from tokens.testing import AsyncClient, Client

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.observability.urls")]

LOGIN = "/accounts/login/"
WRONG = {"username": "bob", "password": "wrong"}
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z"


@pytest.fixture
def client():
    """A browser that sees what a browser would see of an error."""
    return Client(raise_request_exception=False)


class TestFields:
    def test_a_sign_in_has_its_name_its_person_its_session_and_its_request(self, bob, sign_in, client, written):
        answer = sign_in(client, bob)
        [line] = written.of("signed_in")
        assert re.fullmatch(MOMENT, line.pop("timestamp"))
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
        old = left_behind(client)
        old.get("/", follow=True)
        client.get("/")
        [reused], [ended] = written.of("token_reused"), written.of("sessions_ended")
        assert (reused["level"], reused["token_event"]) == ("warning", "reused")
        assert (ended["reason"], ended["count"]) == ("reused", 1)
        dead = written.of("token_dead")
        assert {line["reason"] for line in dead} == {"reused"}
        assert {line["session_id"] for line in (reused, *dead)} == {str(RefreshToken.objects.get().pk)}

    def test_what_an_administrator_did_is_about_somebody_else(self, alice, bob, sign_in, client, written):
        Client().force_login(bob)
        row = bob.refresh_tokens.get()
        sign_in(client, alice)
        SecurityEvent.objects.record(None, bob, SecurityEvent.Kind.SESSION_ENDED, session_id=row.pk, actor=alice)
        client.post("/admin/accounts/user/", {"action": "deactivate", "_selected_action": bob.pk, "confirmed": "yes"})
        [ended], [closed] = written.of("session_ended"), written.of("deactivated")
        assert (ended["user_id"], ended["session_id"], ended["actor_id"]) == (str(bob.pk), str(row.pk), str(alice.pk))
        assert (closed["user_id"], closed["actor_id"]) == (str(bob.pk), str(alice.pk))
        assert "session_id" not in closed

    def test_a_stranger_is_not_whoever_is_signed_in_in_the_same_browser(self, bob, sign_in, client, written):
        sign_in(client, bob)
        client.post("/accounts/password/reset/", {"email": "nobody@example.org"})
        client.post("/accounts/password/reset/", {"email": bob.email})
        assert [line.get("user_id") for line in written.of("reset_asked")] == [None, str(bob.pk)]

    def test_an_address_is_told_by_its_route_or_else_without_what_may_be_a_secret(self, bob, sign_in, client, written):
        sign_in(client, bob)
        client.post(f"/accounts/sessions/{bob.refresh_tokens.get().pk}/end/")
        client.get("/accounts/password/rest/MQ/d1abcd-0123456789abcdef0123456789abcdef/?secret=x")
        [ended], [refused] = written.of("sessions_ended"), written.of("request_refused")
        assert ended["path"] == "/accounts/sessions/<uuid:pk>/end/"
        assert (refused["status"], refused["path"]) == (404, "/accounts/password/rest/MQ/[redacted]/")

    def test_a_password_that_is_a_word_of_the_log_is_not_told_by_its_absence(self, client, bob, written):
        for word in ("accounts", "sign_in_failed", "warning"):
            client.post(LOGIN, {"username": "bob", "password": word}, headers={"accept-language": "de"})
        lines = [(line["logger"], line["path"], line["message"]) for line in written.of("sign_in_failed")]
        assert lines == [("accounts", LOGIN, "Sign-in failed.")] * 3  # in English, whoever asks

    def test_what_waits_says_for_what(self, bob, client, written):
        answers = [client.post(LOGIN, {"username": "bob", "password": f"wrong {n}"}).status_code for n in range(11)]
        assert answers[-1] == 429
        assert {line["limit"] for line in written.of("throttled")} == {"sign-in"}

    def test_whatever_else_hangs_on_a_record_is_left_out(self, written):
        logging.getLogger("tokens").info("Hello.", extra={"kind": "greeted", "jar": {"access": "x"}})
        [line] = written.of("greeted")
        assert line.keys() == {"timestamp", "level", "logger", "event", "message"}

    def test_what_is_rolled_back_never_happened(self, bob, written):
        with transaction.atomic():
            RefreshToken.objects.start(bob)
            bob.refresh_tokens.all().revoke("ended")
            transaction.set_rollback(True)
        assert not written.of("sessions_ended")


class TestRequestId:
    def test_is_another_for_each_request_and_the_same_in_the_answer_and_in_every_line(self, bob, client, written):
        answers = [client.post(LOGIN, WRONG) for _ in range(3)]
        logging.getLogger("tokens").info("Later.", extra={"kind": "later"})
        ids = {answer.headers["X-Request-ID"] for answer in answers}
        assert len(ids) == 3
        assert {line.get("request_id") for line in written.lines} == {*ids, None}
        assert [line["event"] for line in written.lines if "request_id" not in line] == ["later"]

    def test_holds_in_the_event_loop(self, bob, written):
        answers = [async_to_sync(AsyncClient().post)(LOGIN, WRONG) for _ in range(3)]
        failed = [line["request_id"] for line in written.of("sign_in_failed")]
        assert failed == [answer.headers["X-Request-ID"] for answer in answers]

    @pytest.mark.parametrize(("hops", "taken"), [(0, False), (1, True)])
    def test_is_that_of_a_trusted_proxy_alone(self, client, settings, hops, taken):
        settings.TRUSTED_PROXIES = hops
        answer = client.get("/healthz", headers={"x-request-id": "0af7651916cd43dd8448eb211c80319c"})
        assert (answer.headers["X-Request-ID"] == "0af7651916cd43dd8448eb211c80319c") is taken

    @pytest.mark.parametrize("given", ["", "short", "x" * 65, "a b c d e f", "request\x1b[31m", "müller-lüd"])
    def test_is_short_and_plain(self, client, settings, given):
        settings.TRUSTED_PROXIES = 1
        answer = client.get("/healthz", headers={"x-request-id": given})
        assert re.fullmatch("[0-9a-f]{16}", answer.headers["X-Request-ID"])

    def test_stands_on_the_page_that_says_that_something_broke(self, client, db, written):
        answer = client.get("/broken/")
        [failed] = written.of("request_failed")
        assert (failed["level"], failed["request_id"]) == ("error", answer.headers["X-Request-ID"])
        assert f"<code>{failed['request_id']}</code>" in answer.content.decode()
        assert "in broken" in failed["exception"]


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


def test_no_line_can_be_forged(client, bob, written):
    """By a path, a host, a header, a name, a password, a field of a record or a mistake of ours."""
    client.get("/" + ESCAPES)
    client.get("/", headers={"host": f"evil{ESCAPES}", "user-agent": ESCAPES})
    client.get("/accounts/logout/", headers={"user-agent": ESCAPES, "referer": ESCAPES})
    client.post(LOGIN, {"username": f"bob{ESCAPES}", "password": PASSWORD})
    client.post(LOGIN, {"username": "bob", "password": ESCAPES})
    logging.getLogger("accounts").warning("Somebody is called %s.", ESCAPES, extra={"reason": ESCAPES})
    client.get("/broken/")
    assert written.text.count("forged") > 4
    for line in written.text.removesuffix("\n").split("\n"):
        assert re.match(rf"{MOMENT} \[|    ", line) and line.isprintable(), ascii(line)
    assert written.json.isascii() and written.lines


class TestForm:
    @pytest.mark.parametrize(
        ("debug", "asked", "form"),
        [("", "", "json"), ("true", "", "text"), ("true", "json", "json"), ("", "text", "text")],
    )
    def test_is_for_people_while_debugging_and_for_machines_in_production(self, monkeypatch, debug, asked, form):
        for name, value in {"DEBUG": debug, "LOG_FORMAT": asked}.items():
            monkeypatch.delenv(name, raising=False)
            if value:
                monkeypatch.setenv(name, value)
        assert logs.form_of_environment() == form

    def test_a_level_is_that_of_the_sites_own_code(self):
        for level in logs.LEVELS:
            loggers = logs.configuration("json", level)["loggers"]
            assert loggers["tokens"]["level"] == loggers["accounts"]["level"] == level.upper()

    def test_goes_to_standard_error_and_nowhere_else(self):
        assert logs.configuration("json", "info")["handlers"] == {
            "console": {"class": "logging.StreamHandler", "formatter": "line"}
        }
