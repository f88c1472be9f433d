"""Keys from a JWK Set: what is taken, what is refused and why, and their life from next to previous."""

from contextlib import suppress
from dataclasses import replace
from io import StringIO

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from django.core.management import call_command
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from tests.security.forging import members
from tests.tokens.clock import elapse, jar
from tests.tokens.kinds import REFRESH, refresh_token, reread
from tokens.core import jwt, keyfile
from tokens.core.exceptions import InvalidKeys, InvalidToken
from tokens.core.keys import (
    KINDS,
    NEXT,
    PREVIOUS,
    base64url,
    generate_jwk,
    parse_jwks,
    retire_jwk,
    rotate_jwks,
    thumbprint,
)
from tokens.testing import Client

pytestmark = pytest.mark.urls("tests.tokens.urls")

PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
PEM = b"-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n"


@pytest.fixture(scope="module")
def made():
    """A key of each algorithm; an RSA key takes its time."""
    return {alg: generate_jwk(alg) for alg in KINDS}


def ring_of(*entries):
    return parse_jwks({"keys": list(entries)})


def without(entry, *names):
    return {name: value for name, value in entry.items() if name not in names}


class TestGenerateJwk:
    @pytest.mark.parametrize("alg", KINDS)
    def test_a_key_signs_and_verifies_and_is_named_by_its_thumbprint(self, made, alg):
        ring = ring_of(made[alg])
        token = refresh_token(ring=ring)
        assert reread(token, ring) == REFRESH
        assert (ring.current.kid, ring.current.alg) == (thumbprint(made[alg]), alg)
        assert len(token) < jwt.MAX_LENGTH

    def test_two_are_never_the_same(self):
        assert generate_jwk("ES256")["kid"] != generate_jwk("ES256")["kid"]


class TestParseJwks:
    def test_a_single_key_needs_no_state_and_no_kid(self, made):
        assert ring_of(without(made["ES256"], "state", "kid", "use")).current.kid == made["ES256"]["kid"]

    def test_a_previous_key_may_be_there_by_its_public_half_alone(self, made):
        token = refresh_token(ring=ring_of(made["ES256"]))
        half = without(made["ES256"], "d") | {"state": PREVIOUS}
        assert reread(token, ring_of(made["EdDSA"], half)) == REFRESH

    def test_no_private_member_is_ever_public(self, made):
        for alg in ("RS256", "ES256", "EdDSA"):
            [shown] = ring_of(made[alg] | {"key_ops": ["sign"], "since": 0}).public()
            assert not PRIVATE_MEMBERS & shown.keys()
            assert shown.keys() >= {"kid", "alg", "use", "kty"}
            assert not {"state", "since", "key_ops"} & shown.keys()
        assert ring_of(made["HS256"]).public() == []

    @pytest.mark.parametrize("jwks", [None, {}, {"keys": []}, {"keys": {}}, {"keys": ["key"]}], ids=repr)
    def test_what_is_no_set_is_refused(self, jwks):
        with pytest.raises(InvalidKeys, match="A JWK Set is"):
            parse_jwks(jwks)

    @pytest.mark.filterwarnings("ignore")  # of a short key
    def test_each_other_key_is_refused_and_not_shown(self, made):
        es256, hs256 = made["ES256"], made["HS256"]
        short = RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 1024), as_dict=True)  # noqa: S505
        p384 = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP384R1()), as_dict=True)
        curve448 = OKPAlgorithm.to_jwk(ed448.Ed448PrivateKey.generate(), as_dict=True)
        for sentence, *entries in [
            ("An algorithm is none of HS256, RS256, ES256, EdDSA, Ed25519.", hs256 | {"alg": "none"}),
            ("An algorithm is none of HS256, RS256, ES256, EdDSA, Ed25519.", without(hs256, "alg")),
            ("A key for EdDSA is not of the type OKP.", es256 | {"alg": "EdDSA"}),
            ("An algorithm is none of HS256, RS256, ES256, EdDSA, Ed25519.", hs256 | {"alg": ["HS256"]}),
            ("A key is not for signatures.", es256 | {"use": "enc"}),
            ("A key's key_ops does not have sign.", es256 | {"key_ops": ["verify"]}),
            ("A key's key_ops does not have verify.", without(es256, "d") | {"key_ops": []}),
            ("A key's key_ops does not have sign and verify.", hs256 | {"key_ops": ["sign"]}),
            ("A key's since is not a number of seconds.", es256 | {"since": "today"}),
            ("A key for ES256 cannot be read.", es256 | {"x": "broken"}),
            ("A key for ES256 cannot be read.", without(es256, "crv")),
            ("An HMAC key is shorter than 32 bytes.", hs256 | {"k": base64url(bytes(31))}),
            ("An HMAC key is the public key of a pair, or a certificate.", hs256 | {"k": base64url(PEM)}),
            ("An RSA key is shorter than 2048 bits.", short | {"alg": "RS256"}),
            ("A key for ES256 is not on the curve P-256.", p384 | {"alg": "ES256"}),
            ("A key for EdDSA is not on the curve Ed25519.", curve448 | {"alg": "EdDSA"}),
            ("A kid is not text.", es256 | {"kid": 1}),
            ("Two keys have the same kid.", es256, es256),
            ("Exactly one key must be current.", es256, made["EdDSA"]),
            ("Exactly one key must be current.", es256 | {"state": NEXT}),
            (
                "A key's state is none of next, current, previous; only a single key needs none.",
                *(without(es256, "state"), made["EdDSA"]),
            ),
            (
                "An HMAC key beside public keys: whoever knows one could pass for the other.",
                *(hs256, es256 | {"state": NEXT}),
            ),
            ("The current key has no private part.", without(es256, "d")),
        ]:
            with pytest.raises(InvalidKeys) as caught:
                ring_of(*entries)
            assert str(caught.value) == sentence

    @pytest.mark.parametrize("value", [None, True, 0, -1.5, "", "\0é", [], [[]], {}, {"a": {}}], ids=repr)
    def test_no_member_of_another_type_is_an_error_of_another_kind(self, made, value):
        for entry in made.values():
            for name in entry:
                with suppress(InvalidKeys):
                    ring_of(entry | {name: value})

    def test_a_public_key_cannot_be_used_as_an_hmac_secret(self, made):
        ring = ring_of(made["RS256"])
        forged = replace(ring.current, alg="HS256", secret=ring.public()[0]["n"].encode(), public=None)
        with pytest.raises(InvalidToken, match="The algorithm is not the key's"):
            reread(refresh_token(ring=replace(ring, current=forged)), ring)


class TestRotateAndRetire:
    def test_a_token_is_good_through_the_whole_life_of_its_key(self):
        keys = {"keys": [generate_jwk("EdDSA", NEXT), generate_jwk("EdDSA")]}
        first = parse_jwks(keys)
        token = refresh_token(ring=first)
        keys = rotate_jwks(keys, 0)
        second = parse_jwks(keys)
        assert reread(token, second) == REFRESH
        assert second.current.kid in {key["kid"] for key in first.public()}  # was known before its first use
        with pytest.raises(InvalidToken, match="not on the ring"):
            reread(token, parse_jwks(retire_jwk(keys, first.current.kid)))

    def test_nothing_signs_that_was_never_published(self, made):
        with pytest.raises(InvalidKeys, match="no next key"):
            rotate_jwks({"keys": [made["ES256"]]}, 0)

    def test_only_a_previous_key_is_retired(self, made):
        with pytest.raises(InvalidKeys, match="No previous key"):
            retire_jwk({"keys": [made["ES256"]]}, made["ES256"]["kid"])


class TestOnASite:
    @pytest.fixture
    def file(self, settings, tmp_path, monkeypatch):
        """The site's keys are in this file, which is checked at every use."""
        monkeypatch.setattr(keyfile, "CHECK_EVERY", 0)
        path = tmp_path / "keys.json"
        keyfile.write(path, {"keys": [generate_jwk("ES256", NEXT), generate_jwk("ES256")]})
        settings.TOKENS_KEYS = str(path)
        return path

    def test_people_stay_signed_in_through_rotations_and_servers_need_no_restart(self, file, bob, signed_in, name_on):
        browser = signed_in(bob, remember="on")
        signed_with = {members(jar(browser)["access"], 0)["kid"]}
        for _ in range(3):
            keyfile.write(file, rotate_jwks(keyfile.read(file), 0))
            assert name_on(browser) == "bob"
            elapse(16 * 60, browser)
            assert name_on(browser) == "bob"
            kid = members(jar(browser)["access"], 0)["kid"]
            assert kid in {key["kid"] for key in Client().get("/jwks/").json()["keys"]}
            signed_with.add(kid)
        assert len(signed_with) == 4

    def test_a_key_that_was_replaced_is_not_remembered_and_the_new_one_signs_at_once(
        self, file, bob, signed_in, name_on
    ):
        browser, before = signed_in(bob, remember="on"), keyfile.read(file)["keys"]
        assert name_on(browser) == "bob"
        call_command("tokenkeys", "replace", stdout=StringIO())
        assert name_on(browser) == "nobody"  # with the refresh token too
        again = signed_in(bob)
        assert name_on(again) == "bob"
        assert members(jar(again)["access"], 0)["kid"] not in {key["kid"] for key in before}

    def test_a_broken_file_changes_nothing_but_the_log(self, file, bob, signed_in, name_on, caplog):
        browser = signed_in(bob)
        for content in ("", "[" * 10**5, '{"keys": [{"alg": "none"}]}', '{"keys": [{"alg": []}]}'):
            file.write_text(content)
            assert name_on(browser) == "bob"
        file.unlink()
        assert name_on(browser) == "bob"
        broken = [message for message in caplog.messages if "the last valid keys stay in use" in message]
        assert any("An algorithm is none of" in message for message in broken)
        assert any("FileNotFoundError" in message for message in broken)

    def test_the_public_set_can_be_read_by_scripts_and_kept_for_a_while(self, file, db):
        response = Client().get("/jwks/")
        assert response.headers["Content-Type"] == "application/jwk-set+json"
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.headers["Cache-Control"] == "public, max-age=300"
        again = Client().get("/jwks/", headers={"if-none-match": response.headers["ETag"]})
        assert again.status_code == 304
        keyfile.write(file, rotate_jwks(keyfile.read(file), 0))
        assert Client().get("/jwks/").headers["ETag"] != response.headers["ETag"]

    def test_the_largest_signature_leaves_room_in_a_cookie(self, settings, tmp_path, bob, signed_in, made):
        keyfile.write(tmp_path / "keys.json", {"keys": [made["RS256"]]})
        settings.TOKENS_KEYS = str(tmp_path / "keys.json")
        assert len(jar(signed_in(bob))["access"]) < 1400
