"""The challenges that passkeys sign, and that none is good for anything else."""

from datetime import timedelta

import pytest

from accounts.factors import challenges
from accounts.factors.challenges import InvalidResponse, Purpose


def test_it_knows_its_moment_and_no_two_are_equal():
    one, other = (challenges.new(Purpose.SIGN_IN) for _ in range(2))
    assert one != other
    assert challenges.moment_of(one, Purpose.SIGN_IN) <= challenges.moment_of(other, Purpose.SIGN_IN)


def test_a_fallback_of_the_key_will_do(settings):
    settings.SECRET_KEY_FALLBACKS = ["an old one"]
    settings.SECRET_KEY, new = "an old one", settings.SECRET_KEY
    challenge = challenges.new(Purpose.SIGN_IN)
    settings.SECRET_KEY = new
    challenges.moment_of(challenge, Purpose.SIGN_IN)


@pytest.mark.parametrize(
    ("purpose", "subject"),
    [(Purpose.SECOND_FACTOR, "s"), (Purpose.CONDITIONAL_REGISTRATION, "s"), (Purpose.REGISTRATION, "another")],
)
def test_it_is_good_for_one_purpose_and_subject(purpose, subject):
    challenge = challenges.new(Purpose.REGISTRATION, "s")
    with pytest.raises(InvalidResponse, match="not made for this"):
        challenges.moment_of(challenge, purpose, subject)


@pytest.mark.parametrize("forge", [lambda one: b"\1" + one[1:], lambda one: one[:-1], lambda one: b""])
def test_a_forged_one_is_refused(forge):
    with pytest.raises(InvalidResponse, match="not made for this"):
        challenges.moment_of(forge(challenges.new(Purpose.SIGN_IN)), Purpose.SIGN_IN)


def test_it_ends(monkeypatch):
    monkeypatch.setattr(challenges, "LIFETIME", timedelta(seconds=-1))
    with pytest.raises(InvalidResponse, match="too old"):
        challenges.moment_of(challenges.new(Purpose.SIGN_IN), Purpose.SIGN_IN)
