"""What a neighbour takes, what it refuses, and who may what; beside a site that runs."""

import pytest

from tests.interop import forgeries
from tests.interop.forgeries import real_of
from tests.security.forging import GONE

pytestmark = [pytest.mark.once, pytest.mark.slow]

REALM = 'Bearer realm="neighbour"'
INVALID = f'{REALM}, error="invalid_token"'


@pytest.fixture(scope="module")
def bob(home):
    return home.sign_in("bob")


class TestRoles:
    def test_anybody_may_read_what_is_public(self, neighbour):
        assert neighbour.get("/public").status == 200
        assert neighbour.get("/public", "garbage").status == 200

    def test_whoever_signed_in_at_the_site_is_somebody_here(self, home, neighbour, bob):
        answer = neighbour.get("/me", bob["access_token"])
        assert (answer.status, answer.body["username"]) == (200, "bob")
        assert answer.body["sub"] == home.ask("me", bob["access_token"], method="GET")["id"]

    def test_the_staff_may_more(self, home, neighbour, bob):
        assert neighbour.get("/staff", home.sign_in("alice")["access_token"]).status == 200
        refused = neighbour.get("/staff", bob["access_token"])
        assert (refused.status, refused.challenge) == (403, None)

    def test_only_true_is_true(self, home, neighbour, bob):
        """Whoever reads a role in a hurry takes "false" for one."""
        real = real_of(bob, home.key())
        for value in ("false", "true", 1, [0], {}, None, GONE):
            assert neighbour.get("/staff", real.signed(is_staff=value)).status == 403, value
        assert neighbour.get("/staff", real.signed(is_staff=True)).status == 200

    def test_nobody_is_told_how_to_become_somebody(self, neighbour):
        for path in ("/me", "/staff"):
            answer = neighbour.get(path)
            assert (answer.status, answer.challenge) == (401, REALM)


class TestForgeries:
    def test_every_one_is_refused(self, home, neighbour, bob, issuer):
        forged = forgeries.all_of(real_of(bob, home.key()), elsewhere=issuer.url)
        answers = {name: neighbour.get("/me", token) for name, token in forged.items()}
        assert {name: answer.status for name, answer in answers.items() if answer.status != 401} == {}
        del answers["as JSON"]  # with blanks and braces in it, this is no Bearer header at all (RFC 6750 §2.1)
        assert {answer.challenge for answer in answers.values()} == {INVALID}
        assert not issuer.asked  # whatever a token names is not fetched
        assert neighbour.get("/me", real_of(bob, home.key()).signed()).status == 200  # or nothing could fail
