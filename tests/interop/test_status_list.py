"""How neighbours hear of sessions that have ended, and what they make of a list that is wrong, old or not to be had."""

from concurrent.futures import ThreadPoolExecutor
from time import sleep, time

import pytest

from tests.interop.issuer import SIZE, TTL
from tests.smtp import wait_until

pytestmark = [pytest.mark.once, pytest.mark.slow]

LIST = "/.well-known/status-list"
LATER = TTL + 0.1  # seconds, until a neighbour reads the list again


@pytest.fixture
def ask(issuer, beside):
    """`ask(token)`: what the neighbours of the test's own site answer, with their names."""
    services = beside(issuer.url, "ES256")

    def ask(token):
        return {name: service.get("/me", token).status for name, service in services.items()}

    return ask


def all_are(status):
    return {"fastapi": status, "node": status}


def test_an_ended_session_is_over_within_the_lists_life(home, services):
    ended, other = home.sign_in("bob"), home.sign_in("bob")
    for service in services.values():
        assert service.get("/me", ended["access_token"]).status == 200
    home.ask("auth/logout", ended["refresh_token"])
    for service in services.values():
        wait_until(lambda service=service: service.get("/me", ended["access_token"]).status == 401)
        assert service.get("/me", other["access_token"]).status == 200


def test_each_place_is_a_place_of_its_own_and_may_be_of_several_bits(issuer, ask):
    """The standard knows sessions that are suspended (2), which only a list of more bits can say."""
    issuer.published = issuer.status_list({0: 1, 9: 2, SIZE - 1: 3}, bits=2)
    verdicts = {idx: ask(issuer.access(idx)) for idx in (0, 1, 8, 9, 10, SIZE - 1, SIZE)}
    assert {idx for idx, verdict in verdicts.items() if verdict == all_are(401)} == {0, 9, SIZE - 1, SIZE}
    assert {idx for idx, verdict in verdicts.items() if verdict == all_are(200)} == {1, 8, 10}


def test_the_list_is_read_once_however_many_ask(issuer, ask):
    issuer.published = issuer.status_list(ttl=600)
    token = issuer.access(1)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, [token] * 40))
    assert answers == [all_are(200)] * 40
    assert issuer.asked[LIST] == 2
    issuer.asked.clear()
    assert ask(issuer.access()) == all_are(200)
    assert not issuer.asked[LIST]  # for a token without a place nobody needs it


@pytest.fixture
def verdicts(issuer, ask):
    """`verdicts()`: what the places 3 and 4, and no place, are answered."""
    return lambda: [ask(issuer.access(idx)) for idx in (3, 4, None)]


def test_the_last_good_list_stays_whatever_comes_instead(issuer, verdicts):
    issuer.published = good = issuer.status_list([3], exp=int(time()) + 3600)
    assert verdicts() == [all_are(401), all_are(200), all_are(200)]
    for instead in (
        issuer.status_list([4], typ="at+jwt"),
        issuer.status_list([4], sub=issuer.uri + "/"),
        issuer.status_list([4], exp=int(time()) - 1),
        f"{issuer.status_list([4]).rpartition('.')[0]}.{good.rpartition('.')[2]}",
        None,
    ):
        issuer.published = instead
        issuer.asked.clear()
        sleep(LATER)
        assert verdicts() == [all_are(401), all_are(200), all_are(200)]
        assert issuer.asked[LIST] >= 2
    issuer.published = issuer.status_list([4])
    sleep(LATER)
    assert verdicts() == [all_are(200), all_are(401), all_are(200)]


def test_the_last_good_list_is_good_until_its_end(issuer, ask, verdicts):
    exp = int(time()) + 5
    issuer.published = issuer.status_list([3], exp=exp)
    assert ask(issuer.access(4)) == all_are(200)
    issuer.published = None
    sleep(max(0, exp - time()))
    assert verdicts() == [all_are(503), all_are(503), all_are(200)]  # who has no place in it does not need it


def test_without_a_list_nobody_with_a_place_in_it_is_taken(issuer, ask):
    assert ask(issuer.access(3)) == all_are(503)
