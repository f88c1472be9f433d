"""`endsessions` and `cleartokens`."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tests.tokens.clock import elapse
from tokens.models import RefreshToken

pytestmark = pytest.mark.urls("tests.tokens.urls")


def say(*words):
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue().strip()


class TestEndSessions:
    def test_ends_those_of_one_person(self, alice, bob, signed_in, name_on):
        hers, his = signed_in(alice), signed_in(bob)
        assert say("endsessions", "--user", "bob") == "1 sessions ended."
        assert [name_on(hers), name_on(his)] == ["alice", "nobody"]

    def test_ends_everybodys(self, alice, bob, signed_in, name_on):
        browsers = [signed_in(alice), signed_in(bob), signed_in(bob)]
        assert say("endsessions", "--all") == "3 sessions ended."
        assert [name_on(browser) for browser in browsers] == ["nobody"] * 3

    def test_says_that_nobody_is_called_so(self, db):
        with pytest.raises(CommandError, match="Nobody is called carol"):
            say("endsessions", "--user", "carol")


class TestClearTokens:
    def test_deletes_what_ended_long_ago_and_nothing_else(self, bob):
        for _ in range(250):
            RefreshToken.objects.start(bob)
        elapse(9 * 24 * 3600)
        kept = RefreshToken.objects.start(bob)  # deletes a hundred itself
        assert say("cleartokens") == "150 sessions deleted."
        assert RefreshToken.objects.get() == kept
