import json
from dataclasses import replace

import pytest
from joserfc.jwk import OctKey
from joserfc.jws import deserialize_compact

from tests.tokens.forge import GONE, altered, part, with_payload
from tests.tokens.kinds import (
    ACCESS,
    AUDIENCE,
    ISSUER,
    KEY,
    REFRESH,
    access_token,
    cause,
    named,
    read,
    refresh_token,
    reread,
)
from tokens.core.exceptions import ExpiredToken, InvalidToken
from tokens.core.jwt import LARGEST, LEEWAY, check_times
from tokens.core.keys import derive, derived_ring


class TestWriteAccess:
    def test_the_header_has_the_algorithm_the_key_and_the_type_and_nothing_else(self):
        assert json.loads(part(access_token(), 0)) == {"alg": "HS256", "kid": KEY.kid, "typ": "at+jwt"}

    def test_the_payload_has_the_claims_of_rfc_9068_and_those_about_the_person(self):
        assert json.loads(part(access_token(), 1)) == {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "type": "access",
            "sub": "42",
            "sid": ACCESS.sid,
            "jti": ACCESS.jti,
            "rti": ACCESS.rti,
            "gen": 3,
            "ver": 7,
            "iat": 1_700_000_000,
            "exp": 1_700_000_900,
            "username": "zoë",
            "is_staff": False,
            "age": 30,
            "nick": None,
        }

    def test_the_mark_of_a_new_generation_is_there_only_while_it_is_new(self):
        assert json.loads(part(access_token(replace(ACCESS, new=True)), 1))["new"] is True
        assert "new" not in json.loads(part(access_token(), 1))

    def test_a_claim_about_the_person_cannot_stand_in_for_the_mark(self):
        claims = read(access_token(replace(ACCESS, new=True, user={"new": False})))
        assert claims.new is True

    def test_an_ordinary_token_is_under_1_kilobyte(self):
        assert len(access_token(replace(ACCESS, new=True, user={"username": "a" * 30, "is_staff": True}))) < 1024

    @pytest.mark.parametrize("letter", ["a", "ä", "中", "𐐀"])
    def test_the_longest_name_of_any_script_makes_a_token_that_is_read(self, letter):
        claims = replace(ACCESS, new=True, user={"username": letter * 150, "is_staff": True})
        assert read(access_token(claims)) == claims

    def test_another_library_verifies_it_with_the_same_key(self):
        key = OctKey.import_key(KEY.secret)
        found = deserialize_compact(access_token(), key, algorithms=["HS256"])
        assert json.loads(found.payload)["username"] == "zoë"

    def test_the_first_key_of_the_ring_signs(self):
        old = derive("an older secret of fifty letters")
        assert json.loads(part(access_token(), 0))["kid"] == KEY.kid != old.kid


class TestWriteRefresh:
    def test_the_header_has_a_type_of_its_own(self):
        assert json.loads(part(refresh_token(), 0)) == {"alg": "HS256", "kid": KEY.kid, "typ": "rt+jwt"}

    def test_the_payload_is_for_the_issuer_alone_and_says_nothing_about_the_person(self):
        assert json.loads(part(refresh_token(), 1)) == {
            "iss": ISSUER,
            "aud": ISSUER,
            "type": "refresh",
            "sub": "42",
            "sid": REFRESH.sid,
            "jti": REFRESH.jti,
            "gen": 3,
            "iat": 1_700_000_000,
            "exp": 1_700_600_000,
        }


class TestReadAccess:
    @pytest.mark.parametrize("new", [True, False])
    def test_what_was_written_is_read(self, new):
        claims = replace(ACCESS, new=new)
        assert read(access_token(claims)) == claims

    def test_one_that_has_expired_is_read_all_the_same(self):
        assert read(access_token(replace(ACCESS, exp=1))).exp == 1

    def test_a_fallback_key_verifies(self):
        old = derived_ring("an older secret of fifty letters")
        assert read(access_token(ring=old)) == ACCESS

    def test_a_refresh_token_does_not_pass(self):
        assert cause(refresh_token()) == "The token is of another type."

    def test_a_refresh_token_whose_header_says_access_does_not_pass(self):
        token = altered(refresh_token(), KEY, header={"typ": "at+jwt"}, payload={"aud": AUDIENCE})
        assert cause(token) == "The claim `type` is of the other kind."

    @pytest.mark.parametrize("mark", [1, 0, "true", None, [], 1.0])
    def test_a_mark_that_is_no_boolean_is_refused(self, mark):
        token = altered(access_token(), KEY, payload={"new": mark})
        assert cause(token) == "The claim `new` is not a boolean."

    @pytest.mark.parametrize("value", [1.5, [], ["a"], {}, {"a": 1}])
    def test_a_claim_about_the_person_is_a_plain_value(self, value):
        token = altered(access_token(), KEY, payload={"username": value})
        assert cause(token) == "A claim about the user is not a plain value."

    def test_a_claim_that_says_not_before_is_refused(self):
        """Nobody here would obey it."""
        token = altered(access_token(), KEY, payload={"nbf": ACCESS.iat})
        assert cause(token) == "The token has a claim that does not belong to its kind."

    def test_a_number_too_great_for_a_float_is_no_plain_value(self):
        """json.loads() makes 1e999 infinity, without asking parse_constant."""
        token = with_payload(access_token(), part(access_token(), 1).replace(b'"age":30', b'"age":1e999'), KEY)
        assert cause(token) == "A claim about the user is not a plain value."


class TestReadRefresh:
    def test_what_was_written_is_read(self):
        assert reread(refresh_token()) == REFRESH

    def test_one_that_has_expired_is_read_all_the_same(self):
        assert reread(refresh_token(replace(REFRESH, exp=1))).exp == 1

    def test_a_fallback_key_verifies(self):
        old = derived_ring("an older secret of fifty letters")
        assert reread(refresh_token(ring=old)) == REFRESH

    def test_an_access_token_does_not_pass(self):
        assert cause(access_token(), reread) == "The token is of another type."

    def test_an_access_token_whose_header_says_refresh_does_not_pass(self):
        token = altered(access_token(), KEY, header={"typ": "rt+jwt"}, payload={"aud": ISSUER})
        assert cause(token, reread) == "The claim `type` is of the other kind."

    @pytest.mark.parametrize("name", ["nbf", "username", "rti", "ver", "new", "scope", ""])
    def test_it_has_no_other_claim(self, name):
        token = altered(refresh_token(), KEY, payload={name: 1})
        assert cause(token, reread) == "The token has a claim that does not belong to its kind."


class TestTheClaimsOfBothKinds:
    @pytest.mark.parametrize("value", [GONE, None, "", True, 42, 42.0, ["42"], {"id": "42"}], ids=repr)
    @pytest.mark.parametrize(("token", "reader", "name"), named(["sub", "sid", "jti"], ["rti"]))
    def test_a_claim_that_is_to_be_text_is_text(self, token, reader, name, value):
        expected = f"The claim `{name}` is missing or not text."
        assert cause(altered(token, KEY, payload={name: value}), reader) == expected

    @pytest.mark.parametrize(
        "value", [GONE, None, True, False, "1", "", 1.0, 1.5, -1, LARGEST, 10**30, -(10**30), [1], {}], ids=repr
    )
    @pytest.mark.parametrize(("token", "reader", "name"), named(["gen", "iat", "exp"], ["ver"]))
    def test_a_claim_that_is_to_be_a_number_is_a_plain_integer(self, token, reader, name, value):
        expected = f"The claim `{name}` is missing or not a plain integer."
        assert cause(altered(token, KEY, payload={name: value}), reader) == expected

    @pytest.mark.parametrize(("token", "reader", "name"), named(["sid", "jti"], ["rti"]))
    def test_an_id_has_one_form(self, token, reader, name):
        right = REFRESH.sid
        for wrong in (
            *(right.upper(), f"{{{right}}}", f"urn:uuid:{right}", right.replace("-", ""), right[:-1], right + "0"),
            *(f" {right}", f"{right}\n", right.replace("0", "\uff10"), "0", "' OR ''='", "-" * 36),
        ):
            expected = f"The claim `{name}` is not a UUID in its canonical form."
            assert cause(altered(token, KEY, payload={name: wrong}), reader) == expected


class TestCheckTimes:
    NOW = 1_700_000_000.0

    @pytest.mark.parametrize("claims", [ACCESS, REFRESH])
    def test_a_token_is_good_until_the_second_of_its_end(self, claims):
        check_times(claims, now=claims.exp - 0.001, lifetime=10**9)
        with pytest.raises(ExpiredToken, match=r"^The token has expired\.$"):
            check_times(claims, now=claims.exp, lifetime=10**9)

    @pytest.mark.parametrize("claims", [ACCESS, REFRESH])
    def test_a_lifetime_that_was_shortened_meanwhile_counts(self, claims):
        check_times(claims, now=claims.iat + 299.9, lifetime=300)
        with pytest.raises(ExpiredToken, match=r"^The token has expired\.$"):
            check_times(claims, now=claims.iat + 300, lifetime=300)

    def test_a_lifetime_that_was_lengthened_does_not_revive(self):
        with pytest.raises(ExpiredToken):
            check_times(ACCESS, now=ACCESS.exp + 1, lifetime=10**9)

    def test_a_clock_may_be_a_minute_ahead(self):
        check_times(replace(ACCESS, iat=int(self.NOW) + LEEWAY, exp=2**40), now=self.NOW, lifetime=900)
        with pytest.raises(InvalidToken, match=r"^The token was made in the future\.$"):
            check_times(replace(ACCESS, iat=int(self.NOW) + LEEWAY + 1, exp=2**40), now=self.NOW, lifetime=900)

    def test_a_token_of_the_far_future_is_refused_and_not_merely_over(self):
        with pytest.raises(InvalidToken, match=r"^The token was made in the future\.$"):
            check_times(replace(ACCESS, iat=2**53 - 1, exp=0), now=self.NOW, lifetime=900)

    def test_a_token_that_ended_before_it_was_made_is_over(self):
        with pytest.raises(ExpiredToken):
            check_times(replace(ACCESS, iat=int(self.NOW), exp=int(self.NOW) - 1), now=self.NOW, lifetime=900)
