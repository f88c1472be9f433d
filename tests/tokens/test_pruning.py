"""Whoever clears is in nobody's way."""

import threading

import pytest
from django.db import connection, connections, transaction

from tests.tokens.clock import EXPIRED, elapse, jar
from tokens.management import pruning
from tokens.models import RefreshToken

LONG_AGO = 12 * 24 * 3600


@pytest.mark.urls("tests.tokens.urls")
@pytest.mark.django_db(transaction=True)
def test_nobody_waits_for_rows_that_are_being_deleted(bob, alice, signed_in, name_on):
    """On SQLite every writer waits for every other, so that this says something on PostgreSQL alone."""
    if connection.vendor != "postgresql":
        return
    for _ in range(30):
        RefreshToken.objects.start(bob)
    elapse(LONG_AGO)
    browser = signed_in(bob)
    elapse(EXPIRED, browser)
    held, enough = threading.Event(), threading.Event()

    def clear():
        """All batches in one transaction that does not end: whatever they lock is locked for long."""
        try:
            with transaction.atomic():
                assert sum(pruning.batches()) == 30
                held.set()
                assert enough.wait(60)
        finally:
            connections.close_all()

    clearing = threading.Thread(target=clear)
    clearing.start()
    try:
        assert held.wait(60)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '5s'")  # whoever had to wait would get an error
        before = jar(browser)["refresh"]
        assert name_on(browser) == "bob"
        assert jar(browser)["refresh"] != before
        assert name_on(signed_in(alice)) == "alice"
        assert RefreshToken.objects.revoke_for([bob], RefreshToken.Reason.ADMIN) == 1
        assert name_on(browser) == "nobody"
    finally:
        enough.set()
        clearing.join()
    assert RefreshToken.objects.count() == 2
