"""What links and codes follow from."""

import re
from copy import copy
from uuid import UUID

import pytest

from accounts.email.tokens import code, link_token, stamp, undo_token
from accounts.mails.links import matches
from accounts.models import EmailVerification

NEW = "bob@new.example"
MADE = (link_token, code, undo_token, stamp)


def proof_of(user, **fields):
    return EmailVerification(user=user, **{"email": NEW, "previous_email": user.email, **fields})


class TestWhatIsDerived:
    def test_is_no_other_and_the_same_again_and_nothing_else_fits(self, bob):
        verification = proof_of(bob)
        assert len({make(verification) for make in MADE}) == len(MADE)
        assert all(re.fullmatch(r"[\w-]{43}", make(verification)) for make in (link_token, undo_token))  # 256 bits
        for make in MADE:
            assert matches(make, verification, make(verification))
            assert not any(matches(make, verification, given) for given in ("", "é", "000000 "))

    def test_a_code_has_six_digits_each_as_likely_as_any_other(self, bob):
        codes = [code(proof_of(bob)) for _ in range(1000)]
        assert all(re.fullmatch("[0-9]{6}", one) for one in codes)
        assert len(set(codes)) > 980
        assert all(len({one[place] for one in codes}) == 10 for place in range(6))

    @pytest.mark.parametrize("make", [link_token, code, stamp])
    def test_dies_with_the_password_the_address_and_is_of_one_asking(self, bob, make):
        before = make(proof_of(bob, pk=UUID(int=1)))
        assert not matches(make, proof_of(bob, pk=UUID(int=2)), before)
        assert not matches(make, proof_of(bob, pk=UUID(int=1), email="bob@evil.example"), before)
        assert matches(make, proof_of(bob, pk=UUID(int=1)), before)
        for change in (lambda user: setattr(user, "email", NEW), lambda user: user.set_password("another one")):
            other = copy(bob)
            change(other)
            assert not matches(make, proof_of(other, pk=UUID(int=1), previous_email=bob.email), before)

    def test_the_way_back_outlives_another_password_and_another_address(self, bob):
        verification = proof_of(bob)
        before = undo_token(verification)
        bob.set_password("the thief's")
        bob.email = "thief@example.org"
        assert matches(undo_token, verification, before)

    @pytest.mark.parametrize("make", MADE)
    def test_a_former_secret_key_is_good_while_it_is_a_fallback(self, bob, settings, make):
        verification = proof_of(bob)
        before, former = make(verification), settings.SECRET_KEY
        settings.SECRET_KEY = "k" * 50
        assert not matches(make, verification, before)
        settings.SECRET_KEY_FALLBACKS = [former]
        assert matches(make, verification, before)
