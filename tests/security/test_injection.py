"""Line breaks and escapes where they would end a header or begin a line of the log; over the production server."""

import logging
import re

import pytest

from accounts.models import SecurityEvent
from tests.security.forging import altered

INJECTED = ["%0d%0aX-Injected:%20y", "%0aX-Injected:y", "%E5%98%8A%E5%98%8DX-Injected:y"]


@pytest.mark.once
class TestHeaders:
    def test_no_address_adds_a_header(self, server):
        for path in ("/accounts/sessions/?x={}", "/admin/login/?next=/{}", "/{}", "/accounts/login?{}"):
            for text in INJECTED:
                answer = server.get(path.format(text))
                assert answer.status in (200, 301, 302, 400, 404)
                assert not answer.header("X-Injected")
                assert not [value for _, value in answer.headers if re.search(r"[\r\n]", value)]

    def test_no_field_of_the_log_in_form_adds_one(self, production, server):
        form = server.get("/accounts/login/")
        jar = f"__Host-csrftoken={form.cookies['__Host-csrftoken']}".encode()
        for wanted in ("/x\r\nX-Injected: y", "/x\nSet-Cookie: a=b", "/\u560d\u560aX-Injected: y"):
            fields = {"csrfmiddlewaretoken": form.form_token, "username": "bob", "next": wanted}
            answer = server.post("/accounts/login/", jar, fields | {"password": production.passwords["bob"]})
            assert not answer.header("X-Injected")
            assert "a" not in answer.cookies

    @pytest.mark.parametrize(
        "lines",
        [
            b"Content-Length: 5\r\nContent-Length: 6\r\n",
            b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            b"Transfer-Encoding : chunked\r\n",
        ],
        ids=ascii,
    )
    def test_a_request_that_two_servers_would_read_differently_is_refused(self, server, lines):
        smuggled = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
        head = b"POST /accounts/login/ HTTP/1.1\r\nHost: localhost:%d\r\n" % server.port
        answer = server.raw(head + lines + b"Connection: close\r\n\r\n" + smuggled)
        assert answer.status in (0, 400, 403, 501)
        assert b"HTTP/1.1 " not in answer.body

    def test_a_chunked_body_is_read_or_refused_for_what_it_is(self, server):
        """gunicorn could read it, but Django does not ask for more than a Content-Length announces."""
        head = b"POST /api/auth/login HTTP/1.1\r\nHost: localhost:%d\r\nConnection: close\r\n" % server.port
        chunked = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
        answer = server.raw(head + chunked)
        assert (answer.status, b"length_required" in answer.body) == (411, True)


ESCAPES = "\r\n2026-01-01 CRITICAL forged \x1b[31mred\x1b[0m\x07\u2028"


class TestLog:
    @pytest.fixture
    def lines(self, caplog):
        """`lines()`: the log as the console has it. No record may be more than one line, or move a terminal."""
        caplog.set_level(logging.DEBUG)

        def lines():
            said = [record.getMessage() for record in caplog.records if record.levelno >= logging.INFO]
            for line in said:
                assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", line), line
            return said

        return lines

    def test_no_token_forges_a_line(self, wsgi, real, lines):
        for name in ("kid", "alg", "typ"):
            for cookie in ("access", "refresh"):
                token = altered(real.access, real.key, header={name: ESCAPES})
                wsgi.get("/", f"__Host-{cookie}={token}".encode())
        for claim in ("sub", "sid", "iss", "aud"):
            wsgi.get("/", f"__Host-access={altered(real.access, real.key, payload={claim: ESCAPES})}".encode())
        said = lines()
        assert said
        assert "forged" not in "".join(said)

    def test_the_history_of_an_account_keeps_no_escapes(self, client, bob):
        client.post("/accounts/login/", {"username": "bob", "password": "no"}, headers={"user-agent": f"Moz{ESCAPES}"})
        event = SecurityEvent.objects.get()
        assert event.user_agent.isprintable()

    @pytest.mark.once
    def test_no_octets_forge_a_line_of_the_production_servers(self, production, server):
        for path in ("/%0aFORGED", "/%0d%0aFORGED", "/x%1b[31mFORGED", "/%E2%80%A8FORGED"):
            server.get(path)
            server.get(path, b"a=\x1bFORGED", Origin="https://FORGED")
        log = production.errors.read_text()
        assert "FORGED" in log
        assert not re.search(r"^FORGED", log, flags=re.M)
        assert "\x1b" not in log
