import json
import string
from dataclasses import replace

import jwt
import pytest
from joserfc.jwk import OctKey
from joserfc.jws import deserialize_compact
from jwt import InsecureKeyLengthWarning

from tests.tokens.forge import GONE, altered, base64url, part, signed, with_header, with_payload
from tokens.exceptions import ExpiredToken, InvalidToken
from tokens.jwts import (
    LARGEST,
    LEEWAY,
    MAX_LENGTH,
    AccessClaims,
    RefreshClaims,
    check_times,
    read_access,
    read_refresh,
    write_access,
    write_refresh,
)
from tokens.keys import KeyRing, derive, derived_ring

ISSUER = "https://sojourn.example"
AUDIENCE = "https://neighbour.example"
RING = derived_ring("a secret of fifty letters", "an older secret of fifty letters")
KEY = RING.current

REFRESH = RefreshClaims(
    sub="42",
    sid="0c5d9f3e-6a1b-4c2d-8e7f-a9b8c7d6e5f4",
    jti="019383a1-5b6c-7d8e-9f00-112233445566",
    gen=3,
    iat=1_700_000_000,
    exp=1_700_600_000,
)
ACCESS = AccessClaims(
    sub="42",
    sid=REFRESH.sid,
    jti="7b0e6c1a-55aa-4f00-9d3c-0123456789ab",
    rti=REFRESH.jti,
    gen=3,
    ver=7,
    iat=1_700_000_000,
    exp=1_700_000_900,
    user={"username": "zoë", "is_staff": False, "age": 30, "nick": None},
)


def access_token(claims=ACCESS, ring=RING):
    return write_access(claims, ring=ring, issuer=ISSUER, audience=AUDIENCE)


def refresh_token(claims=REFRESH, ring=RING):
    return write_refresh(claims, ring=ring, issuer=ISSUER)


def read(token, ring=RING):
    return read_access(token, ring=ring, issuer=ISSUER, audience=AUDIENCE)


def reread(token, ring=RING):
    return read_refresh(token, ring=ring, issuer=ISSUER)


def cause(token, reader=read):
    """The exact sentence with which `reader` refuses `token`."""
    with pytest.raises(InvalidToken) as caught:
        reader(token)
    return str(caught.value)


SHAPE = "The token is not three parts of the base64url alphabet."
MEMBERS = "The header's members are not exactly alg, kid and typ."
CANONICAL = "A part is base64url, but not in its one canonical form."
KINDS = [
    pytest.param(access_token(), read, id="access"),
    pytest.param(refresh_token(), reread, id="refresh"),
]

# Some octet strings that json.loads() takes, or that break a careless parser; none is strict JSON in UTF-8.
NOT_JSON = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"x", id="no JSON"),
    pytest.param(b'{"a":1', id="cut off"),
    pytest.param(b'{"a":1}{"a":1}', id="two objects"),
    pytest.param(b"{'a':1}", id="single quotes"),
    pytest.param(b'{"a":1,}', id="trailing comma"),
    pytest.param(b'{"a":1}\x00', id="NUL at the end"),
    pytest.param(b'{"a":"\n"}', id="bare control character"),
    pytest.param(b'\xef\xbb\xbf{"a":1}', id="BOM"),
    pytest.param('{"a":1}'.encode("utf-16"), id="UTF-16"),
    pytest.param('{"a":1}'.encode("utf-16-le"), id="UTF-16LE"),
    pytest.param('{"a":1}'.encode("utf-32"), id="UTF-32"),
    pytest.param('{"a":1}'.encode("utf-32-be"), id="UTF-32BE"),
    pytest.param(b'{"a":"\xe9"}', id="Latin-1"),
    pytest.param(b'{"a":"\xed\xa0\x80"}', id="surrogate in UTF-8"),
    pytest.param(b'{"a":"\xc0\xaf"}', id="overlong UTF-8"),
    pytest.param(b'{"a":NaN}', id="NaN"),
    pytest.param(b'{"a":Infinity}', id="Infinity"),
    pytest.param(b'{"a":-Infinity}', id="-Infinity"),
    pytest.param(b'{"a":1,"a":1}', id="doubled member"),
    pytest.param(b'{"a":1,"\\u0061":1}', id="doubled member, once escaped"),
    pytest.param(b'{"b":{"a":1,"a":2}}', id="doubled member, nested"),
    pytest.param(b'{"b":[{"a":1,"a":2}]}', id="doubled member, nested in an array"),
]
NO_OBJECT = [b"[]", b'"text"', b"1", b"null", b"true", b'[["sub","42"]]']


def named(names, only_access):
    """Each kind with each of its claims; those of `only_access` are in no refresh token."""
    both = [pytest.param(token, reader, name) for token, reader in (KINDS[0].values, KINDS[1].values) for name in names]
    return [*both, *(pytest.param(*KINDS[0].values, name) for name in only_access)]


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
        assert cause(token) == "The mark `new` is not a boolean."

    @pytest.mark.parametrize("value", [1.5, [], ["a"], {}, {"a": 1}])
    def test_a_claim_about_the_person_is_a_plain_value(self, value):
        token = altered(access_token(), KEY, payload={"username": value})
        assert cause(token) == "A claim about the person is not a plain value."

    def test_a_number_too_great_for_a_float_is_no_plain_value(self):
        """json.loads() makes 1e999 infinity, without asking parse_constant."""
        token = with_payload(access_token(), part(access_token(), 1).replace(b'"age":30', b'"age":1e999'), KEY)
        assert cause(token) == "A claim about the person is not a plain value."


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
