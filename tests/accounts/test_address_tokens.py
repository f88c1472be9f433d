"""What links and codes follow from."""

import re
from collections import Counter
from uuid import uuid4

import pytest

from accounts.address_tokens import code, fits, link_token, stamp, undo_token
from accounts.models import AddressProof

NEW = "bob@new.example"
MADE = (link_token, code, undo_token, stamp)


def proof_of(user, **fields):
    return AddressProof(user=user, **{"address": NEW, "previous": user.email, **fields})


class TestWhatIsDerived:
    def test_is_no_other_and_the_same_again(self, bob):
        proof = proof_of(bob)
        assert len({make(proof) for make in MADE}) == len(MADE)
        assert [make(proof) for make in MADE] == [make(proof) for make in MADE]

    def test_a_link_has_256_bits_and_fits_into_an_address(self, bob):
        assert {len(make(proof_of(bob))) for make in (link_token, undo_token)} == {43}
        assert re.fullmatch(r"[\w-]{43}", link_token(proof_of(bob)))

    def test_a_code_has_six_digits_each_as_likely_as_any_other(self, bob):
        codes = [code(proof_of(bob)) for _ in range(5000)]
        assert all(re.fullmatch("[0-9]{6}", one) for one in codes)
        assert len(set(codes)) > 4900
        for place in range(6):
            times = Counter(one[place] for one in codes)
            assert len(times) == 10
            assert max(times.values()) < 1.3 * min(times.values()) + 30

    @pytest.mark.parametrize("make", [link_token, code, stamp])
    @pytest.mark.parametrize("change", ["password", "email", "proof", "address"])
    def test_dies_with_the_password_the_address_and_is_of_one_asking(self, bob, make, change):
        proof = proof_of(bob)
        before = make(proof)
        if change == "password":
            bob.set_password("another battery horse")
        elif change == "email":
            bob.email = "elsewhere@example.org"
        elif change == "proof":
            proof.pk = uuid4()
        else:
            proof.address = "bob@evil.example"
        assert not fits(make, proof, before)

    def test_the_way_back_outlives_another_password_and_another_address(self, bob):
        proof = proof_of(bob)
        before = undo_token(proof)
        bob.set_password("the thief's")
        bob.email = "thief@example.org"
        assert fits(undo_token, proof, before)

    @pytest.mark.parametrize("make", MADE)
    def test_a_former_secret_key_is_good_while_it_is_a_fallback(self, bob, settings, make):
        proof = proof_of(bob)
        before, former = make(proof), settings.SECRET_KEY
        settings.SECRET_KEY = "k" * 50
        assert not fits(make, proof, before)
        settings.SECRET_KEY_FALLBACKS = [former]
        assert fits(make, proof, before)

    @pytest.mark.parametrize("given", ["", "0", "é", "\0", "x" * 100_000, "000000 "])
    def test_nothing_else_fits(self, bob, given):
        assert not any(fits(make, proof_of(bob), given) for make in MADE)
