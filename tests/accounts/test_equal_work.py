"""What a visitor asks for costs the same whoever has an account: the same queries in the same order, and one mail.

The time of the answers is tried on the production server, in test_mails_in_production.py.
"""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import OutgoingMail, SecurityEvent, User
from tests.conftest import PASSWORD
from tokens.testing import Client


@pytest.fixture
def people(bob):
    User.objects.create_user("inactive", "inactive@example.org", PASSWORD, is_active=False)
    User.objects.create_user("unusable", "unusable@example.org", None)


def work(url, **fields):
    """What one request did: the statements without their values, and the rows that it left."""
    OutgoingMail.objects.all().delete()
    events = SecurityEvent.objects.count()
    with CaptureQueriesContext(connection) as queries:
        assert Client().post(url, fields).status_code == 302
    statements = [re.match(r"(\w+)(?:.*?\"((?:accounts|tokens)_\w+)\")?", query["sql"]) for query in queries]
    return (
        [(statement[1], statement[2]) for statement in statements],
        (OutgoingMail.objects.count(), SecurityEvent.objects.count() - events),
    )


def test_a_reset_for_a_person_for_nobody_and_for_who_may_not_have_one(people):
    did = [
        work("/accounts/password/reset/", email=f"{name}@example.org")
        for name in ("bob", "nobody", "inactive", "unusable")
    ]
    assert did == [did[0]] * 4
    assert did[0][1] == (1, 1)


def test_nobodys_reset_keeps_no_strangers_address(people):
    work("/accounts/password/reset/", email="nobody@example.org")
    assert OutgoingMail.objects.get().to == ""


def test_a_sign_up_that_is_free_or_has_a_name_or_an_address_that_is_taken(people):
    def sign_up(name, address):
        fields = {"username": name, "email": address, "password1": PASSWORD, "password2": PASSWORD}
        statements, left = work("/accounts/signup/", **fields)
        # Only the savepoint ends otherwise.
        return [each for each in statements if each[0] not in ("RELEASE", "ROLLBACK")], left

    did = [
        sign_up("ada", "ada@example.org"),
        sign_up("bob", "eve@example.org"),
        sign_up("eve", "bob@example.org"),
        sign_up("bob", "bob@example.org"),
    ]
    assert did == [did[0]] * 4
    assert did[0][1] == (1, 1)


def test_the_owner_of_an_address_sees_that_it_was_tried_again(people, bob):
    work("/accounts/signup/", username="eve", email="Bob@example.org", password1=PASSWORD, password2=PASSWORD)

    event = SecurityEvent.objects.get()
    assert (event.kind, event.user) == (SecurityEvent.Kind.ACCOUNT_WANTED, bob)
