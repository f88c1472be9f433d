"""The page that people read about the API, and that what it tells them to type works."""

import argparse
import re
import shlex
from html import unescape

import pytest
from django.test import Client

from accounts.api.document import DOCUMENT
from accounts.api.operations import errors, operations

pytestmark = pytest.mark.once

SITE = "http://testserver/"
OPERATIONS = operations(DOCUMENT, SITE)
LOGIN = OPERATIONS[0]

CURL = argparse.ArgumentParser()
CURL.add_argument("url")
CURL.add_argument("-X", dest="method")
CURL.add_argument("-H", dest="headers", action="append", default=[])
CURL.add_argument("-d", dest="data")


def run(command, **variables):
    """What a shell and curl make of the command: a curl of 2015, too."""
    for name, value in variables.items():
        command = command.replace(f"${name}", value)
    program, *words = shlex.split(command.replace("\\\n", ""))
    assert program == "curl"
    told = CURL.parse_args(words)
    assert told.url.startswith(SITE)
    headers = dict(header.split(": ") for header in told.headers)
    body = {"data": told.data, "content_type": headers.pop("Content-Type")} if told.data else {}
    method = told.method or ("POST" if told.data else "GET")
    return Client().generic(method, told.url.removeprefix(SITE.rstrip("/")), headers=headers, **body)


@pytest.fixture
def example(db, django_user_model):
    """The person of the examples, of the staff."""
    return django_user_model.objects.create_superuser(email="alice@example.org", **LOGIN.sends.example)


class TestOperations:
    def test_are_those_of_the_document_in_its_order(self):
        told = [(operation.path.removeprefix("/api"), operation.method.lower()) for operation in OPERATIONS]
        assert told == [(path, method) for path, item in DOCUMENT["paths"].items() for method in item]

    def test_say_which_token_they_take(self):
        tokens = {operation.name: operation.tokens for operation in OPERATIONS}
        assert tokens["me"] == ["accessToken"]
        assert tokens["refresh"] == ["refreshToken"]
        assert tokens["logout"] == ["accessToken", "refreshToken"]
        assert tokens["login"] == tokens["public"] == []

    def test_name_each_member_in_words(self):
        (sessions,) = (operation for operation in OPERATIONS if operation.name == "sessions")
        members = {member.name: member.kind for member in sessions.answers[0].content.members}
        assert members["sessions"] == "list"
        assert members["sessions[].id"] == "uuid"
        assert members["sessions[].ip_address"] == "text or null"
        assert members["sessions[].opened"].startswith('"password", "api"')

    @pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
    def test_the_example_of_each_works(self, example, operation):
        pair = run(LOGIN.curl).json()
        response = run(operation.curl, ACCESS=pair["access"], REFRESH=pair["refresh"])
        expected = "404" if operation.name == "endSession" else operation.answers[0].status  # an id of nobody's
        assert str(response.status_code) == expected


class TestErrors:
    def test_are_told_once_each_and_in_order(self):
        found = errors(OPERATIONS)
        assert {error.name for error in found} == DOCUMENT["components"]["responses"].keys() - {"Pair"}
        assert [error.status for error in found] == sorted(error.status for error in found)
        assert all(int(error.status) == error.content.example["status"] for error in found)


class TestPage:
    def test_tells_of_every_operation(self, client, db):
        text = unescape(client.get("/api/").content.decode())
        for operation in OPERATIONS:
            assert f'id="{operation.name}"' in text
            assert f"<code>{operation.path}</code>" in text
            assert operation.curl in text
            for answer in operation.answers:
                assert answer.description in text

    def test_every_link_within_leads_somewhere(self, client, db):
        text = client.get("/api/").content.decode()
        links = re.findall(r'href="#(\w+)"', text)
        assert len(set(links)) > len(OPERATIONS)
        assert set(links) <= set(re.findall(r'id="(\w+)"', text))

    def test_knows_who_is_signed_in_like_any_page(self, client, bob, sign_in):
        assert "Sign in" in client.get("/api/").content.decode()
        sign_in(client, bob)
        assert "Sign out" in client.get("/api/").content.decode()

    def test_is_only_read(self, client, db):
        assert client.post("/api/").status_code == 405
        assert client.head("/api/").status_code == 200
