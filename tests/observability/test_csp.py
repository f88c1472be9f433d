"""What browsers report of the Content-Security-Policy, and what others send in their place."""

import json
import re
from itertools import count

import pytest

from project import csp
from tokens.testing import Client

pytestmark = pytest.mark.once

REPORT = {
    "document-uri": "https://example.org/accounts/login/?next=/hush",
    "effective-directive": "script-src-elem",
    "blocked-uri": "https://evil.example/x.js?hush",
}


@pytest.fixture(autouse=True)
def _in_a_while(monkeypatch):
    """Each report comes when the pause is over."""
    moments = count(0, 10)
    monkeypatch.setattr(csp, "_free_at", float("-inf"))
    monkeypatch.setattr(csp, "monotonic", lambda: next(moments))


def send(body, **headers):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    return Client(enforce_csrf_checks=True).post("/csp-report", body, content_type="application/csp-report", **headers)


def test_is_a_line_without_queries(written):
    answer = send({"csp-report": REPORT})
    assert (answer.status_code, answer.content, answer.cookies) == (204, b"", {})
    [line] = written.of("csp_violation")
    assert (line["level"], line["path"], line["reason"]) == ("warning", "/accounts/login/", "script-src-elem")
    assert line["blocked"] == "https://evil.example/x.js"
    assert "hush" not in written.text


def test_is_one_a_second_however_many_come(written, monkeypatch):
    monkeypatch.setattr(csp, "monotonic", lambda: 1.0)
    assert {send({"csp-report": REPORT}).status_code for _ in range(5)} == {204}
    assert len(written.of("csp_violation")) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"\xff", 400),
        (b"[" * 5000, 400),
        (b'{"csp-report": "x"}', 204),
        (b'{"csp-report": {"document-uri": 7, "blocked-uri": ["x"]}}', 204),
        (b'{"csp-report": {"document-uri": "https://[x/"}}', 400),
        (b" " * csp.MAX_BYTES + b"{}", 413),
    ],
    ids=range(8),
)
def test_takes_whatever_is_sent(body, status):
    assert send(body).status_code == status


def test_is_cut_and_forges_no_line(written):
    forged = "x\n2026 [critical ] forged\x1b[31m" + "y" * 500
    send({"csp-report": dict.fromkeys(REPORT, forged)})
    assert len(written.text.split("\n")) < 20 and "\x1b" not in written.text and "y" * 101 not in written.text
    assert all(line[:4].isdigit() for line in written.text.splitlines())


def test_every_page_asks_for_it(client, db):
    ours = """default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self';
        connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none';
        report-uri /csp-report"""
    sent = client.get("/").headers["Content-Security-Policy"]
    assert sorted(sent.split("; ")) == sorted(re.split(r";\s+", ours))
    assert client.get("/csp-report").status_code == 405


@pytest.mark.parametrize("debug", [False, True])
def test_the_pages_for_developers_have_their_styles(client, db, settings, debug):
    settings.DEBUG = debug
    assert ("Content-Security-Policy" in client.get("/there-is-no-such-page/").headers) is not debug
