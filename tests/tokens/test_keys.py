import dataclasses
import hashlib
import hmac
import json

import pytest
from joserfc.jwk import OctKey

from tests.tokens.forge import base64url
from tokens.core.keys import PURPOSE, derive, derived_ring


class TestDerive:
    def test_one_secret_gives_one_key(self):
        assert derive("a secret") == derive("a secret")

    def test_other_secrets_give_other_keys_and_other_names(self):
        keys = [derive(secret) for secret in ("a secret", "a secret ", "A secret", "", "é", "e\u0301")]
        assert len({key.secret for key in keys}) == len({key.kid for key in keys}) == 6

    def test_the_key_has_256_bits_for_hs256(self):
        key = derive("a secret")
        assert key.alg == "HS256"
        assert len(key.secret) == 32

    def test_it_is_hkdf_of_rfc_5869_by_hand(self):
        pseudorandom = hmac.digest(bytes(32), b"a secret", hashlib.sha256)
        assert derive("a secret").secret == hmac.digest(pseudorandom, PURPOSE + b"\x01", hashlib.sha256)

    def test_whoever_signs_something_else_with_the_secret_has_not_the_key(self):
        secret = "a secret of just 32 characters.."
        others = {
            secret.encode(),
            hashlib.sha256(secret.encode()).digest(),
            hmac.digest(secret.encode(), b"", "sha256"),
        }
        assert derive(secret).secret not in others

    def test_its_name_is_the_thumbprint_of_rfc_7638_as_another_library_makes_it(self):
        key = derive("a secret")
        assert key.kid == OctKey.import_key(key.secret).thumbprint()

    def test_its_name_does_not_give_the_key_away(self):
        key = derive("a secret")
        assert key.kid not in (base64url(key.secret), base64url(hashlib.sha256(key.secret).digest()))

    def test_a_key_cannot_be_changed(self):
        with pytest.raises(dataclasses.FrozenInstanceError):
            derive("a secret").alg = "none"


class TestDerivedRing:
    def test_the_first_secret_signs_and_all_verify(self):
        ring = derived_ring("new", "old", "older")
        assert ring.current == derive("new")
        assert list(ring.verifying.values()) == [derive("new"), derive("old"), derive("older")]

    def test_each_key_is_found_by_its_name(self):
        assert all(key.kid == name for name, key in derived_ring("new", "old").verifying.items())

    def test_a_secret_that_is_named_twice_is_one_key(self):
        assert len(derived_ring("new", "new").verifying) == 1

    def test_a_ring_without_a_secret_cannot_be(self):
        with pytest.raises(IndexError):
            derived_ring()


class TestPublic:
    def test_a_symmetric_key_is_never_shown(self):
        ring = derived_ring("new", "old")
        shown = json.dumps(ring.public())
        assert ring.public() == []
        assert not any(base64url(key.secret) in shown for key in ring.verifying.values())
