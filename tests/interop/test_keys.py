"""Where neighbours get the keys: from the issuer alone, seldom, and an outage of its is none of theirs."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tokens.core import keys

pytestmark = [pytest.mark.once, pytest.mark.slow]

KEYS = "/.well-known/jwks.json"


@pytest.fixture
def neighbours(issuer, beside):
    return beside(issuer.url, "ES256").values()


def test_made_up_kids_cause_no_flood(issuer, neighbours):
    forged = [issuer.signed({}, "at+jwt", kid=f"made up {number}") for number in range(50)]
    for neighbour in neighbours:
        issuer.asked.clear()
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(neighbour.get, ["/me"] * 50, forged))
        assert {answer.status for answer in answers} == {401}
        assert neighbour.get("/me", issuer.access()).status == 200
        assert issuer.asked[KEYS] <= 2


def test_keys_that_are_known_outlast_an_outage(issuer, neighbours):
    for neighbour in neighbours:
        assert neighbour.get("/me", issuer.access()).status == 200
        issuer.away = True
        assert neighbour.get("/me", issuer.signed({}, "at+jwt", kid="made up")).status == 401
        assert neighbour.get("/me", issuer.access()).status == 200
        issuer.away = False


def test_without_keys_nothing_can_be_known(issuer, neighbours):
    issuer.away = True
    for neighbour in neighbours:
        answer = neighbour.get("/me", issuer.access())
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")


def test_a_key_for_an_algorithm_that_is_not_configured_is_none(issuer, neighbours):
    """Neither a token nor a published key says which algorithms are taken."""
    other, own = keys.generate_jwk("EdDSA", keys.NEXT), keys.generate_jwk("ES256")
    issuer.ring = keys.parse_jwks({"keys": [other, own]})
    assert [neighbour.get("/me", issuer.access()).status for neighbour in neighbours] == [200, 200]
    issuer.ring = keys.parse_jwks(keys.rotate_jwks({"keys": [other, own]}, 0))
    assert issuer.ring.current.alg == "EdDSA"
    assert [neighbour.get("/me", issuer.access()).status for neighbour in neighbours] == [401, 401]


def test_a_key_that_nobody_can_read_yet_harms_none_of_the_others(issuer, neighbours):
    issuer.others = [{"kty": "AKP", "alg": "ML-DSA-44", "kid": "of tomorrow", "pub": "AA"}, {"kty": "of whatever"}]
    assert [neighbour.get("/me", issuer.access()).status for neighbour in neighbours] == [200, 200]
