"""A database that keeps requests waiting: they are told to come back, in time, and what needs none goes on."""

import json
from contextlib import contextmanager
from http.client import HTTPConnection
from urllib.parse import urlencode

import psycopg
import pytest

from tests.programs import output_of
from tests.resilience import database
from tests.smtp import wait_until

pytestmark = pytest.mark.once

SHOW = """
import json
import django
{serve}
django.setup()
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SELECT name, setting FROM pg_settings WHERE name LIKE '%%\\_timeout'")
    print(json.dumps(dict(cursor.fetchall())))
"""
OURS = {"lock_timeout": "5000", "statement_timeout": "20000", "idle_in_transaction_session_timeout": "20000"}


@contextmanager
def locked(url, *tables):
    """Another connection holds these tables, as a migration might."""
    with psycopg.connect(**database.parameters(url)) as other:
        other.execute(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE")
        yield
        other.rollback()


class Answers:
    """What a server answers to a browser with this jar."""

    def __init__(self, port, jar=None):
        self.port, self.jar = port, jar or {}

    def get(self, path, sent=None, **headers):
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        cookies = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        headers = {"Host": "localhost", "Cookie": cookies, **headers}
        connection.request("GET" if sent is None else "POST", path, sent, headers)
        answer = connection.getresponse()
        answer.body = answer.read().decode()
        connection.close()
        return answer


def send(answers, path, **fields):
    """Send a form, as a browser does."""
    cookie = Answers(answers.port).get("/accounts/login/").getheader("Set-Cookie").partition(";")[0]
    name, _, token = cookie.partition("=")
    sender = Answers(answers.port, {**answers.jar, name: token})
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "http://localhost"}
    return sender.get(path, urlencode({**fields, "csrfmiddlewaretoken": token}), **headers)


def test_a_locked_table_is_a_503_in_time_and_what_needs_no_table_goes_on(installed, postgres_database):
    site = installed(f"{postgres_database}?lock_timeout=200ms")
    here, refreshing = map(dict, site.jars(2))
    del refreshing["__Host-access"]
    port = site.serve().port
    asked = {"username": "person0", "password": "wrong"}
    with locked(postgres_database, "tokens_refreshtoken", "accounts_user"):
        for page in (
            Answers(port, here).get("/accounts/sessions/"),
            Answers(port, refreshing).get("/"),
            send(Answers(port), "/accounts/login/", **asked),
            send(Answers(port, here), "/accounts/logout/"),
        ):
            assert (page.status, page.getheader("Retry-After")) == (503, "5")
            assert "<h1" in page.body and "__Host-refresh" not in str(page.headers)
        answer = Answers(port).get("/api/auth/login", json.dumps(asked), **{"Content-Type": "application/json"})
        assert (answer.status, answer.getheader("Retry-After")) == (503, "5")
        for path in ("/readyz", "/healthz", "/accounts/login/", "/static/css/sojourn.css"):
            assert Answers(port).get(path).status == 200, path
    for jar in (here, refreshing):  # Nothing that was given up happens later.
        wait_until(lambda jar=jar: Answers(port, jar).get("/accounts/sessions/").status == 200)


@pytest.mark.parametrize(
    ("serve", "query", "expected"),
    [
        ("import project.wsgi", "", OURS),
        ("import project.asgi", "?statement_timeout=9s", {**OURS, "statement_timeout": "9000"}),
        ("", "?statement_timeout=9s", dict.fromkeys(OURS, "0")),
        ("import project.wsgi", "?DISABLE_SERVER_SIDE_CURSORS=true", dict.fromkeys(OURS, "0")),
    ],
)
def test_requests_have_deadlines_and_commands_have_none(installed, postgres_url, serve, query, expected):
    environment = installed(f"{postgres_url}{query}").environment
    found = json.loads(output_of("-c", SHOW.format(serve=serve), env=environment))
    assert {name: found[name] for name in OURS} == expected
