"""A neighbour asks for a fresh sign-in by two factors, in the words of RFC 9470."""

from time import time

import pytest

pytestmark = [pytest.mark.once, pytest.mark.slow]

CHALLENGE = 'Bearer realm="neighbour", error="insufficient_user_authentication", max_age="300"'
FACTORS = ["pwd", "otp", "mfa"]


def test_what_could_do_harm_takes_two_factors_and_not_long_ago(issuer, beside):
    now = int(time())
    too_little = [
        {},
        {"auth_time": now},
        {"amr": FACTORS},
        {"auth_time": now, "amr": ["pwd", "rba"]},
        {"auth_time": now, "amr": "mfa"},
        {"auth_time": str(now), "amr": FACTORS},
        {"auth_time": now - 301, "amr": FACTORS},
    ]
    for neighbour in beside(issuer.url, "ES256").values():
        for claims in too_little:
            answer = neighbour.get("/sensitive", issuer.access(**claims))
            assert (answer.status, answer.challenge) == (401, CHALLENGE), claims
            assert neighbour.get("/me", issuer.access(**claims)).status == 200
        assert neighbour.get("/sensitive", issuer.access(auth_time=now, amr=FACTORS)).status == 200
