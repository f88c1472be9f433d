"""What is looked at beside the signature (RFC 8725): the form of a token, of its header and of its payload."""

import json
import string
from dataclasses import replace

import jwt
import pytest
from jwt import InsecureKeyLengthWarning

from tests.tokens.forge import GONE, altered, base64url, part, signed, with_header, with_payload
from tests.tokens.kinds import (
    CANONICAL,
    ISSUER,
    KEY,
    KINDS,
    MEMBERS,
    NO_OBJECT,
    NOT_JSON,
    SHAPE,
    cause,
)
from tokens.core.exceptions import InvalidToken
from tokens.core.jwt import LARGEST, MAX_LENGTH
from tokens.core.keys import KeyRing, derive, derived_ring


@pytest.mark.parametrize(("token", "reader"), KINDS)
class TestTheShapeOfBothKinds:
    def test_2048_characters_are_looked_at_and_one_more_is_not(self, token, reader):
        rest = MAX_LENGTH - len(token)
        assert cause(token + "A" * rest, reader) != "The token is longer than 2,048 characters."
        assert cause(token + "A" * (rest + 1), reader) == "The token is longer than 2,048 characters."

    def test_a_million_characters_are_refused(self, token, reader):
        assert cause("A" * 1_000_000, reader) == "The token is longer than 2,048 characters."

    def test_there_are_exactly_two_dots(self, token, reader):
        header, payload, signature = token.split(".")
        for wrong in (
            *("", ".", "..", "...", token + ".", "." + token, header + "." + payload),
            *(f"{header}..{signature}", f".{payload}.{signature}", f"{header}.{payload}."),
            *(f"{token}.{signature}", f"{token}.{signature}.{signature}", f"{token}.a.b.c"),
        ):
            assert cause(wrong, reader) == SHAPE

    @pytest.mark.parametrize(
        "stray",
        ["=", "==", " ", "\n", "\r\n", "\t", "\0", "+", "/", "%", '"', ",", ";", "\u00a0", "\u2028", "\ud800"],
        ids=ascii,
    )
    def test_no_other_character_stands_anywhere(self, token, reader, stray):
        first, second = (place for place, character in enumerate(token) if character == ".")
        for place in (0, 1, first, first + 1, second, second + 1, len(token) - 1, len(token)):
            assert cause(token[:place] + stray + token[place:], reader) == SHAPE

    @pytest.mark.parametrize("lookalike", ["\uff11", "\u0663", "\uff41", "\u0430", "\u00e9", "\u212a"], ids=ascii)
    def test_letters_and_digits_of_other_scripts_are_no_base64url(self, token, reader, lookalike):
        assert cause(lookalike + token[1:], reader) == SHAPE
        assert cause(token[:-1] + lookalike, reader) == SHAPE

    def test_every_change_of_one_character_is_refused(self, token, reader):
        """Each is put in the place of its neighbour in the alphabet, which flips the lowest bit, and of a far one."""
        alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
        for place, character in enumerate(token):
            if character != ".":
                value = alphabet.index(character)
                for other in (alphabet[value ^ 1], alphabet[value ^ 32]):
                    cause(token[:place] + other + token[place + 1 :], reader)
            cause(token[:place] + "." + token[place:], reader)
            cause(token[:place] + token[place + 1 :], reader)

    def test_the_signature_has_one_form(self, token, reader):
        """43 characters of base64url have two bits to spare; a lax decoder takes four tokens for one."""
        alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
        taken = []
        for character in alphabet:
            try:
                reader(token[:-1] + character)
            except InvalidToken:
                continue
            taken.append(character)
        assert taken == [token[-1]]

    def test_the_header_has_one_form(self, token, reader):
        header, payload, _ = token.split(".")
        octets = b"%b " % part(token, 0)  # padded by white space until there are bits to spare
        while len(octets) % 3 != 1:
            octets += b" "
        loose = base64url(octets)
        loose = loose[:-1] + chr(ord(loose[-1]) + 1)
        assert cause(signed(loose, payload, KEY), reader) == CANONICAL
        assert cause(signed("A", payload, KEY), reader) == "A part is not base64url."
        assert cause(signed(header + "A" * (5 - len(header) % 4), payload, KEY), reader) == "A part is not base64url."

    def test_a_payload_or_a_signature_of_impossible_length_is_refused(self, token, reader):
        header, payload, _ = token.split(".")
        assert cause(signed(header, "A", KEY), reader) == "The token cannot be decoded."
        assert cause(f"{header}.{payload}.A", reader) == "The token cannot be decoded."

    def test_a_signature_of_another_length_is_refused(self, token, reader):
        header, payload, signature = token.split(".")
        for wrong in ("AA", signature[:-3], signature + "AAAA", signature * 2):
            cause(f"{header}.{payload}.{wrong}", reader)


@pytest.mark.parametrize(("token", "reader"), KINDS)
class TestTheHeaderOfBothKinds:
    @pytest.mark.parametrize("octets", NOT_JSON)
    def test_it_is_strict_json(self, token, reader, octets):
        assert cause(with_header(token, octets or b" ", KEY), reader) == "The header is not strict JSON in UTF-8."

    @pytest.mark.parametrize("octets", NO_OBJECT)
    def test_it_is_an_object(self, token, reader, octets):
        assert cause(with_header(token, octets, KEY), reader) == "The header is not a JSON object."

    @pytest.mark.parametrize("name", ["alg", "kid", "typ"])
    def test_a_member_that_is_missing_is_an_error(self, token, reader, name):
        assert cause(altered(token, KEY, header={name: GONE}), reader) == MEMBERS

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("jku", "https://evil.example/jwks.json"),
            ("x5u", "https://evil.example/cert.pem"),
            ("x5c", ["MIIB"]),
            ("x5t", "AAAA"),
            ("jwk", {"kty": "oct", "k": "AAAA"}),
            ("crit", ["exp"]),
            ("crit", []),
            ("b64", True),
            ("b64", False),
            ("zip", "DEF"),
            ("enc", "A128GCM"),
            ("cty", "JWT"),
            ("iss", ISSUER),
            ("Alg", "none"),
            ("", ""),
            ("alg\0", "HS256"),
        ],
    )
    def test_no_other_member_is_followed_or_passed_over(self, token, reader, name, value):
        assert cause(altered(token, KEY, header={name: value}), reader) == MEMBERS

    @pytest.mark.parametrize("name", ["alg", "kid", "typ"])
    def test_a_doubled_member_is_an_error_whichever_comes_first(self, token, reader, name):
        octets = part(token, 0)
        other = f'"{name}":"none"'.encode()
        for doubled in (b"{" + other + b"," + octets[1:], octets[:-1] + b"," + other + b"}"):
            assert cause(with_header(token, doubled, KEY), reader) == "The header is not strict JSON in UTF-8."

    @pytest.mark.parametrize("name", ["alg", "kid", "typ"])
    @pytest.mark.parametrize("value", [None, True, 1, 1.5, [], ["HS256"], {}])
    def test_a_member_that_is_no_text_is_refused(self, token, reader, name, value):
        assert cause(altered(token, KEY, header={name: value}), reader) == "A member of the header is not text."

    @pytest.mark.parametrize(
        "kid",
        ["", "none", KEY.kid[:-1], KEY.kid + " ", KEY.kid.swapcase(), "../../dev/null", "' OR 1=1 --", "0"],
        ids=ascii,
    )
    def test_a_key_that_is_not_on_the_ring_is_refused(self, token, reader, kid):
        assert cause(altered(token, KEY, header={"kid": kid}), reader) == "The key is not on the ring."

    @pytest.mark.parametrize(
        "typ", ["JWT", "jwt", "", "none", "+jwt", "at", "at+jwt ", "text/at+jwt", "application/application/at+jwt"]
    )
    def test_another_type_is_refused(self, token, reader, typ):
        assert cause(altered(token, KEY, header={"typ": typ}), reader) == "The token is of another type."

    def test_the_type_may_be_spelt_in_full_and_in_capitals(self, token, reader):
        """RFC 9068 §4 names both forms; media types have no case (RFC 7515 §4.1.9)."""
        typ = json.loads(part(token, 0))["typ"]
        for same in (typ.upper(), f"application/{typ}", f"APPLICATION/{typ.upper()}"):
            assert reader(altered(token, KEY, header={"typ": same})) == reader(token)

    @pytest.mark.parametrize(
        "alg",
        ["none", "None", "NONE", "nOnE", "", "HS384", "HS512", "hs256", "RS256", "ES256", "EdDSA", "PS256", "dir"],
    )
    def test_the_algorithm_is_the_keys_and_no_other(self, token, reader, alg):
        assert cause(altered(token, KEY, header={"alg": alg}), reader) == "The algorithm is not the key's."

    @pytest.mark.parametrize("alg", ["HS384", "HS512"])
    def test_a_good_signature_by_another_algorithm_is_refused(self, token, reader, alg):
        headers = {"kid": KEY.kid, "typ": json.loads(part(token, 0))["typ"]}
        other = jwt.PyJWS().encode
        with pytest.warns(InsecureKeyLengthWarning):
            wrong = other(part(token, 1), KEY.secret, alg, headers=headers)
        assert cause(wrong, reader) == "The algorithm is not the key's."

    def test_no_signature_at_all_is_refused(self, token, reader):
        header = base64url(json.dumps(json.loads(part(token, 0)) | {"alg": "none"}).encode())
        assert cause(f"{header}.{token.split('.')[1]}.", reader) == SHAPE
        assert cause(f"{header}.{token.split('.')[1]}.AAAA", reader) == "The algorithm is not the key's."

    def test_the_signature_of_another_key_does_not_fit_under_the_name_of_ours(self, token, reader):
        assert cause(altered(token, derive("another secret")), reader) == "The signature does not fit."

    def test_a_token_of_another_ring_is_refused(self, token, reader):
        with pytest.raises(InvalidToken, match=r"^The key is not on the ring\.$"):
            reader(token, ring=derived_ring("another secret"))

    def test_each_key_verifies_under_its_own_name_alone(self, token, reader):
        old = derive("an older secret of fifty letters")
        assert cause(altered(token, KEY, header={"kid": old.kid}), reader) == "The signature does not fit."

    def test_a_key_of_another_algorithm_on_the_ring_does_not_verify(self, token, reader):
        ring = KeyRing(KEY, {KEY.kid: replace(KEY, alg="HS512")})
        with pytest.raises(InvalidToken, match=r"^The algorithm is not the key's\.$"):
            reader(token, ring=ring)


@pytest.mark.parametrize(("token", "reader"), KINDS)
class TestThePayloadOfBothKinds:
    @pytest.mark.parametrize("octets", NOT_JSON)
    def test_it_is_strict_json(self, token, reader, octets):
        assert cause(with_payload(token, octets or b" ", KEY), reader) == "The payload is not strict JSON in UTF-8."

    @pytest.mark.parametrize("octets", NO_OBJECT)
    def test_it_is_an_object(self, token, reader, octets):
        assert cause(with_payload(token, octets, KEY), reader) == "The payload is not a JSON object."

    @pytest.mark.parametrize(
        "octets", [b"[" * 1200 + b"]" * 1, b"[" * 600 + b"]" * 600, b'{"a":' * 200 + b"1" + b"}" * 200]
    )
    def test_deep_nesting_does_not_break_the_parser(self, token, reader, octets):
        cause(with_payload(token, octets, KEY), reader)

    @pytest.mark.parametrize("name", ["iss", "aud", "type", "sub", "sid", "jti", "gen", "iat", "exp"])
    def test_a_doubled_claim_is_an_error_whichever_comes_first(self, token, reader, name):
        octets = part(token, 1)
        same = json.dumps({name: json.loads(octets)[name]})[1:-1].encode()
        for doubled in (b"{" + same + b"," + octets[1:], octets[:-1] + b"," + same + b"}"):
            assert cause(with_payload(token, doubled, KEY), reader) == "The payload is not strict JSON in UTF-8."

    def test_white_space_around_the_members_is_json_too(self, token, reader):
        assert reader(with_payload(token, b" %b\r\n" % part(token, 1), KEY)) == reader(token)

    @pytest.mark.parametrize(
        "issuer", [GONE, None, "", ISSUER + "/", ISSUER.upper(), "https://evil.example", [ISSUER], 1, {}], ids=repr
    )
    def test_another_issuer_is_refused(self, token, reader, issuer):
        assert cause(altered(token, KEY, payload={"iss": issuer}), reader) == "The issuer is not this site."

    def test_another_audience_is_refused(self, token, reader):
        ours = json.loads(part(token, 1))["aud"]
        for aud in (GONE, None, "", ours + "/", "https://evil.example", [ours], [ours, "x"], [], {ours: ours}, True):
            assert cause(altered(token, KEY, payload={"aud": aud}), reader) == "The audience is not exactly ours."

    @pytest.mark.parametrize("kind", [GONE, None, "", "Access", "id", 1, ["access", "refresh"]], ids=repr)
    def test_another_kind_is_refused(self, token, reader, kind):
        assert cause(altered(token, KEY, payload={"type": kind}), reader) == "The claim `type` is of the other kind."

    @pytest.mark.parametrize("value", [b"1e3", b"1.0", b"1E0"])
    def test_a_time_is_written_as_an_integer(self, token, reader, value):
        octets = part(token, 1).replace(b'"iat":1700000000', b'"iat":' + value)
        expected = "The claim `iat` is missing or not a plain integer."
        assert cause(with_payload(token, octets, KEY), reader) == expected

    def test_the_largest_number_is_one_below_2_to_the_53(self, token, reader):
        assert reader(altered(token, KEY, payload={"gen": LARGEST - 1})).gen == 2**53 - 1

    @pytest.mark.parametrize("escaped", ["\\ud800", "\\udfff", "a\\udc00b", "\\udc00\\ud800"])
    def test_half_a_character_is_no_text(self, token, reader, escaped):
        """json.loads() lets lone surrogates through, which no response could carry and no database store."""
        octets = part(token, 1).replace(b'"sub":"42"', f'"sub":"{escaped}"'.encode())
        assert cause(with_payload(token, octets, KEY), reader) == "The payload is not strict JSON in UTF-8."
