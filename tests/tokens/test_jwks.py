"""Keys from a JWK Set: what is taken, what is refused and why, and their life from next to previous."""

import json
from dataclasses import replace

import pytest
from joserfc import jwt as joserfc
from joserfc.jwk import KeySet

from tests.tokens.clock import elapse, jar
from tokens import verification
from tokens.core import jwt, keyfile
from tokens.core import keys as signing_keys
from tokens.core.exceptions import InvalidKeys, InvalidToken
from tokens.core.keys import base64url, thumbprint
from tokens.testing import Client

pytestmark = pytest.mark.urls("tests.tokens.urls")

CLAIMS = jwt.RefreshClaims(
    sub="1",
    sid="50011152-dee5-4af5-885d-8f2c58ae8fb8",
    jti="01a201ee-4e4d-7f55-9876-34340b3bebfc",
    gen=1,
    iat=1,
    exp=2,
)
PUBLIC = ["RS256", "ES256", "EdDSA"]
PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


@pytest.fixture(scope="module")
def made():
    """A key of each algorithm; an RSA key takes its time."""
    return {alg: signing_keys.generate_jwk(alg) for alg in signing_keys.KINDS}


def cause(*entries):
    with pytest.raises(InvalidKeys) as caught:
        signing_keys.parse_jwks({"keys": list(entries)})
    return str(caught.value)


def write(ring):
    return jwt.write_refresh(CLAIMS, ring=ring, issuer="https://sojourn.example")


def read(token, ring):
    return jwt.read_refresh(token, ring=ring, issuer="https://sojourn.example")


class TestGenerate:
    @pytest.mark.parametrize("alg", signing_keys.KINDS)
    def test_a_key_signs_and_verifies_and_is_named_by_its_thumbprint(self, made, alg):
        ring = signing_keys.parse_jwks({"keys": [made[alg]]})
        assert read(write(ring), ring) == CLAIMS
        assert (ring.current.kid, ring.current.alg) == (thumbprint(made[alg]), alg)
        assert len(write(ring)) < jwt.MAX_LENGTH

    @pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # for a name that PyJWT does not know yet (RFC 9864)
    @pytest.mark.parametrize("alg", PUBLIC)
    def test_other_libraries_read_what_it_signs_with_the_public_half_alone(self, made, alg):
        ring = signing_keys.parse_jwks({"keys": [made[alg]]})
        keys = KeySet.import_key_set({"keys": ring.public()})
        assert joserfc.decode(write(ring), keys, algorithms=[alg]).claims["sid"] == CLAIMS.sid

    def test_two_are_never_the_same(self):
        assert signing_keys.generate_jwk("ES256")["kid"] != signing_keys.generate_jwk("ES256")["kid"]


class TestRing:
    def test_a_single_key_needs_no_state_and_no_kid(self, made):
        entry = {name: value for name, value in made["ES256"].items() if name not in ("state", "kid", "use")}
        assert signing_keys.parse_jwks({"keys": [entry]}).current.kid == made["ES256"]["kid"]

    def test_a_previous_key_may_be_there_by_its_public_half_alone(self, made):
        old = signing_keys.generate_jwk("ES256", signing_keys.PREVIOUS)
        token = write(signing_keys.parse_jwks({"keys": [old | {"state": signing_keys.CURRENT}]}))
        half = {name: value for name, value in old.items() if name != "d"}
        assert read(token, signing_keys.parse_jwks({"keys": [made["EdDSA"], half]})) == CLAIMS

    @pytest.mark.parametrize("alg", PUBLIC)
    def test_no_private_member_is_ever_public(self, made, alg):
        (shown,) = signing_keys.parse_jwks({"keys": [made[alg]]}).public()
        assert not PRIVATE_MEMBERS & shown.keys()
        assert shown.keys() >= {"kid", "alg", "use", "kty"} and "state" not in shown

    def test_an_hmac_key_is_never_public(self, made):
        assert signing_keys.parse_jwks({"keys": [made["HS256"]]}).public() == []

    @pytest.mark.parametrize("jwks_", [None, [], {}, {"keys": []}, {"keys": {}}, {"keys": ["key"]}], ids=repr)
    def test_what_is_no_set_is_refused(self, jwks_):
        with pytest.raises(InvalidKeys, match="A JWK Set is"):
            signing_keys.parse_jwks(jwks_)

    @pytest.mark.parametrize("alg", ["none", "HS384", "RS512", "PS256", "ES256K", "Ed25519", "", None, 1])
    def test_an_unknown_algorithm_is_refused(self, made, alg):
        assert cause(made["HS256"] | {"alg": alg}) == "An algorithm is none of HS256, RS256, ES256, EdDSA."

    def test_a_key_of_another_type_is_refused(self, made):
        assert cause(made["ES256"] | {"alg": "EdDSA"}) == "A key for EdDSA is not of the type OKP."

    def test_a_key_for_encryption_is_refused(self, made):
        assert cause(made["ES256"] | {"use": "enc"}) == "A key is not for signatures."

    def test_a_short_hmac_key_is_refused(self, made):
        assert cause(made["HS256"] | {"k": "c2hvcnQ"}) == "An HMAC key is shorter than 32 bytes."

    def test_a_key_that_others_may_see_is_no_secret(self, made):
        pem = b"-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n"
        assert cause(made["HS256"] | {"k": base64url(pem)}).startswith("An HMAC key is the public key")

    @pytest.mark.filterwarnings("ignore")
    def test_a_short_rsa_key_is_refused(self):
        from cryptography.hazmat.primitives.asymmetric import rsa
        from jwt.algorithms import RSAAlgorithm

        short = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
        entry = RSAAlgorithm.to_jwk(short, as_dict=True) | {"alg": "RS256"}
        assert cause(entry) == "An RSA key is shorter than 2048 bits."

    @pytest.mark.parametrize("member", ["x", "crv", "d"])
    def test_a_broken_key_is_refused_and_not_shown(self, made, member):
        sentence = cause(made["ES256"] | {member: "broken"})
        assert sentence == "A key for ES256 cannot be read."

    def test_two_current_keys_and_none_are_refused(self, made):
        assert cause(made["ES256"], made["EdDSA"]) == "Exactly one key has to be current."
        assert cause(made["ES256"] | {"state": "next"}) == "Exactly one key has to be current."

    def test_a_state_that_is_missing_among_several_is_refused(self, made):
        without = {name: value for name, value in made["ES256"].items() if name != "state"}
        assert cause(without, made["EdDSA"]).startswith("A key's state is none of")

    def test_hmac_beside_public_keys_is_refused(self, made):
        assert cause(made["HS256"], made["ES256"] | {"state": "next"}).startswith("An HMAC key beside public keys")

    def test_a_kid_twice_is_refused(self, made):
        assert cause(made["ES256"], made["ES256"]) == "Two keys have the same kid."

    def test_a_current_key_without_its_private_part_is_refused(self, made):
        half = {name: value for name, value in made["ES256"].items() if name != "d"}
        assert cause(half) == "The current key has no private part."

    def test_a_public_key_cannot_be_used_as_an_hmac_secret(self, made):
        ring = signing_keys.parse_jwks({"keys": [made["RS256"]]})
        forged = replace(ring.current, alg="HS256", secret=ring.public()[0]["n"].encode(), public=None)
        token = jwt.write_refresh(CLAIMS, ring=replace(ring, current=forged), issuer="https://sojourn.example")
        with pytest.raises(InvalidToken, match="The algorithm is not the key's"):
            read(token, ring)


class TestRotatedAndRetired:
    def test_a_token_is_good_through_the_whole_life_of_its_key(self):
        keys = {"keys": [signing_keys.generate_jwk("EdDSA", signing_keys.NEXT), signing_keys.generate_jwk("EdDSA")]}
        first = signing_keys.parse_jwks(keys)
        token, kid = write(first), first.current.kid
        keys = signing_keys.rotate_jwks(keys)
        second = signing_keys.parse_jwks(keys)
        assert read(token, second) == CLAIMS
        assert second.current.kid in {key["kid"] for key in first.public()}  # was known before its first use
        with pytest.raises(InvalidToken, match="not on the ring"):
            read(token, signing_keys.parse_jwks(signing_keys.retire_jwk(keys, kid)))

    def test_nothing_signs_that_was_never_published(self, made):
        with pytest.raises(InvalidKeys, match="no next key"):
            signing_keys.rotate_jwks({"keys": [made["ES256"]]})

    def test_only_a_previous_key_is_retired(self, made):
        with pytest.raises(InvalidKeys, match="No previous key"):
            signing_keys.retire_jwk({"keys": [made["ES256"]]}, made["ES256"]["kid"])


class TestOnASite:
    @pytest.fixture
    def file(self, settings, tmp_path, monkeypatch):
        """The site's keys are in this file, and looked at again at every use."""
        monkeypatch.setattr(keyfile, "CHECK_EVERY", 0)
        path = tmp_path / "keys.json"
        keyfile.write(
            path, {"keys": [signing_keys.generate_jwk("ES256", signing_keys.NEXT), signing_keys.generate_jwk("ES256")]}
        )
        settings.TOKENS_KEYS = str(path)
        return path

    def published(self):
        return [key["kid"] for key in Client().get("/jwks/").json()["keys"]]

    def test_people_stay_signed_in_through_rotations_and_servers_need_no_restart(self, file, bob, signed_in, name_on):
        browser = signed_in(bob, remember="on")
        signed_with = {self.kid(browser)}
        for _ in range(3):
            keyfile.write(file, signing_keys.rotate_jwks(keyfile.read(file)))
            assert name_on(browser) == "bob"
            elapse(16 * 60, browser)
            assert name_on(browser) == "bob"
            signed_with.add(self.kid(browser))
            assert self.kid(browser) in self.published()
        assert len(signed_with) == 4

    def test_a_key_that_was_taken_out_is_not_remembered(self, file, bob, signed_in, name_on):
        browser = signed_in(bob)
        assert name_on(browser) == "bob"
        keyfile.write(file, {"keys": [signing_keys.generate_jwk("ES256")]})
        assert name_on(browser) == "nobody"

    def test_a_broken_file_changes_nothing_but_the_log(self, file, bob, signed_in, name_on, caplog):
        browser = signed_in(bob)
        for content in ("", "{}", '{"keys": [{"alg": "none"}]}'):
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
        keyfile.write(file, signing_keys.rotate_jwks(keyfile.read(file)))
        assert Client().get("/jwks/").headers["ETag"] != response.headers["ETag"]

    @pytest.mark.parametrize("alg", signing_keys.KINDS)
    def test_every_algorithm_signs_people_in(self, settings, tmp_path, bob, signed_in, name_on, alg, made):
        path = tmp_path / f"{alg}.json"
        keyfile.write(path, {"keys": [made[alg]]})
        settings.TOKENS_KEYS = str(path)
        browser = signed_in(bob)
        elapse(16 * 60, browser)
        assert name_on(browser) == "bob"
        assert len(jar(browser)["access"]) < 1400

    def kid(self, browser):
        return json.loads(jwt._decoded(jar(browser)["access"].partition(".")[0]))["kid"]


def test_what_was_remembered_is_forgotten_with_the_settings(bob, signed_in, settings):
    signed_in(bob).get("/who/")
    assert verification.remembered().currsize
    settings.TOKENS_ISSUER = "https://elsewhere.example"
    assert not verification.remembered().currsize
