import dataclasses
import hashlib
import hmac

import pytest
from joserfc.jwk import OctKey

from tokens.core.keys import PURPOSE, derive, derived_ring


class TestDerive:
    def test_it_is_hkdf_of_rfc_5869_for_hs256_and_named_by_its_thumbprint(self):
        key = derive("a secret")
        pseudorandom = hmac.digest(bytes(32), b"a secret", hashlib.sha256)
        assert key.secret == hmac.digest(pseudorandom, PURPOSE + b"\x01", hashlib.sha256)
        assert (key.alg, key.kid) == ("HS256", OctKey.import_key(key.secret).thumbprint())

    def test_other_secrets_give_other_keys_and_other_names(self):
        keys = [derive(secret) for secret in ("a secret", "a secret ", "A secret", "", "é", "e\u0301")]
        assert len({key.secret for key in keys}) == len({key.kid for key in keys}) == 6
        assert derive("a secret") == keys[0]

    def test_a_key_cannot_be_changed(self):
        with pytest.raises(dataclasses.FrozenInstanceError):
            derive("a secret").alg = "none"


class TestDerivedRing:
    def test_the_first_secret_signs_and_all_verify_by_their_names(self):
        ring = derived_ring("new", "old", "older")
        keys = [derive("new"), derive("old"), derive("older")]
        assert ring.current == keys[0]
        assert ring.verifying == {key.kid: key for key in keys}

    def test_no_symmetric_key_is_ever_shown(self):
        assert derived_ring("new", "old").public() == []
