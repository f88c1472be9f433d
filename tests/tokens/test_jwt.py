"""What is written, what is read, and the sentence with which all else is refused (RFC 8725). Every signature is good
unless a test says otherwise. tests/security tries the forged tokens of each algorithm on the site."""

import json
import string
from dataclasses import replace

import pytest

from tests.security.forging import GONE, altered, base64url, part, raw, signed, with_header, with_payload
from tests.tokens.kinds import (
    ACCESS,
    AUDIENCE,
    ISSUER,
    KEY,
    REFRESH,
    RING,
    access_token,
    cause,
    read,
    refresh_token,
    reread,
)
from tokens.core.exceptions import ExpiredToken, InvalidToken
from tokens.core.jwt import LARGEST, LEEWAY, MAX_LENGTH, check_times, signer
from tokens.core.keys import KeyRing, derive, derived_ring

TOKEN = access_token()
KINDS = {"access": (TOKEN, read), "refresh": (refresh_token(), reread)}
of_both_kinds = pytest.mark.parametrize(("token", "reader"), KINDS.values(), ids=KINDS)


def with_claims(*names):
    """Try a test on each kind of token with each of these claims that it has."""
    cases = ((kind, *KINDS[kind], name) for kind in KINDS for name in names)
    return pytest.mark.parametrize(
        ("token", "reader", "name"),
        [pytest.param(*case, id=f"{kind} {case[2]}") for kind, *case in cases if case[2] in claims_in(case[0])],
    )


def claims_in(token):
    return json.loads(part(token, 1))


def causes(tokens, reader=read):
    return {cause(token, reader) for token in tokens}


SHAPE = "The token is not three parts of the base64url alphabet."
MEMBERS = "The header's members are not exactly alg, kid and typ."
FOREIGN = "The token has a claim that does not belong to its kind."
PLAIN = "A claim about the user is not a plain value."


class TestWriteAccess:
    def test_the_header_has_the_algorithm_the_key_and_the_type_and_nothing_else(self):
        assert json.loads(part(TOKEN, 0)) == {"alg": "HS256", "kid": KEY.kid, "typ": "at+jwt"}

    def test_the_payload_has_the_claims_of_rfc_9068_and_those_about_the_person(self):
        own = {name: getattr(ACCESS, name) for name in ("sub", "sid", "jti", "rti", "gen", "ver", "iat", "exp")}
        where = {"iss": ISSUER, "aud": AUDIENCE, "type": "access"}
        assert claims_in(TOKEN) == {**where, **own, **ACCESS.user}

    @pytest.mark.parametrize("mark", ["new", "partial"])
    def test_a_mark_is_no_claim_about_the_person(self, mark):
        marked = replace(ACCESS, **{mark: True})
        assert json.loads(part(access_token(marked), 1))[mark] is True
        assert getattr(read(access_token(replace(marked, user={mark: False}))), mark) is True

    def test_it_says_when_and_how_the_person_signed_in(self):
        claims = replace(ACCESS, auth_time=ACCESS.iat, amr=("pwd", "otp", "mfa"), acr="phr")
        token = access_token(claims)
        assert claims_in(token)["amr"] == ["pwd", "otp", "mfa"]
        assert read(token) == claims

    def test_an_ordinary_token_is_under_1_kilobyte_and_the_longest_name_of_any_script_can_be_read(self):
        claims = replace(ACCESS, new=True, user={"username": "a" * 30, "is_staff": True})
        assert len(access_token(claims)) < 1024
        claims = replace(claims, user={"username": "𐐀" * 150, "is_staff": True})
        assert read(access_token(claims)) == claims


class TestWriteRefresh:
    def test_it_is_for_the_issuer_alone_and_says_nothing_about_the_person(self):
        token = refresh_token()
        assert json.loads(part(token, 0)) == {"alg": "HS256", "kid": KEY.kid, "typ": "rt+jwt"}
        own = {name: getattr(REFRESH, name) for name in ("sub", "sid", "jti", "gen", "iat", "exp")}
        assert claims_in(token) == {"iss": ISSUER, "aud": ISSUER, "type": "refresh", **own}


class TestRead:
    @pytest.mark.parametrize("ring", [RING, derived_ring("an older secret of fifty letters")], ids=["current", "older"])
    def test_what_was_written_is_read_whichever_key_signed_it_and_however_old_it_is(self, ring):
        for claims in (ACCESS, replace(ACCESS, new=True), replace(ACCESS, exp=1)):
            assert read(access_token(claims, ring)) == claims
        for claims in (REFRESH, replace(REFRESH, remember=True), replace(REFRESH, exp=1)):
            assert reread(refresh_token(claims, ring)) == claims

    def test_the_type_may_be_spelt_in_full_and_in_capitals(self):
        """RFC 9068 §4 names both forms; media types have no case (RFC 7515 §4.1.9)."""
        assert read(altered(TOKEN, KEY, header={"typ": "APPLICATION/AT+JWT"})) == ACCESS

    def test_white_space_around_the_members_is_json_too(self):
        assert read(with_payload(TOKEN, b" %b\r\n" % part(TOKEN, 1), KEY)) == ACCESS

    @of_both_kinds
    def test_the_other_kind_does_not_pass_even_with_another_header(self, token, reader):
        [(other, _)] = [kind for kind in KINDS.values() if kind[0] != token]
        assert cause(other, reader) == "The token is of another type."
        ours = json.loads(part(token, 0))["typ"], claims_in(token)["aud"]
        disguised = altered(other, KEY, header={"typ": ours[0]}, payload={"aud": ours[1]})
        assert cause(disguised, reader) == "The claim `type` is of the other kind."


class TestTheShape:
    def test_2048_characters_are_looked_at_and_one_more_is_not(self):
        longest = TOKEN + "A" * (MAX_LENGTH - len(TOKEN))
        assert cause(longest) != "The token is longer than 2,048 characters."
        assert cause(longest + "A") == "The token is longer than 2,048 characters."

    def test_there_are_three_parts_of_64_characters_and_nothing_around_them(self):
        header, payload, signature = TOKEN.split(".")
        dots = ("", "..", f"{header}.{payload}", f"{TOKEN}.", f".{TOKEN}", f"{TOKEN}.{signature}")
        empty = (f"{header}..{signature}", f".{payload}.{signature}", f"{header}.{payload}.")
        strays = (
            TOKEN[:place] + stray + TOKEN[place:] for stray in "=+\n\0\ud800é\uff11" for place in (0, 9, len(TOKEN))
        )
        assert causes((*dots, *empty, *strays)) == {SHAPE}

    @of_both_kinds
    def test_every_change_of_one_character_is_refused(self, token, reader):
        """Each is put in the place of its neighbour in the alphabet, which flips the lowest bit: in the last character
        of a part, a lax decoder takes both for one."""
        alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
        for place, character in enumerate(token):
            if character != ".":
                cause(token[:place] + alphabet[alphabet.index(character) ^ 1] + token[place + 1 :], reader)

    def test_each_part_is_base64url_in_its_one_form(self):
        header, payload, signature = TOKEN.split(".")
        octets = part(TOKEN, 0).ljust(
            -(-len(part(TOKEN, 0)) // 3) * 3 + 1
        )  # white space, until there are bits to spare
        loose = base64url(octets)
        loose = loose[:-1] + chr(ord(loose[-1]) + 1)
        assert cause(signed(loose, payload, KEY)) == "A part is base64url, but not in its one canonical form."
        assert cause(signed("A", payload, KEY)) == "A part is not base64url."
        assert causes((signed(header, "A", KEY), f"{header}.{payload}.A")) == {"The token cannot be decoded."}
        assert cause(f"{header}.{payload}.{signature[:-3]}") == "The signature does not fit."


class TestTheHeader:
    def test_it_is_an_object_in_strict_json(self):
        doubled = part(TOKEN, 0)[:-1] + b',"alg":"none"}'
        assert causes(with_header(TOKEN, octets, KEY) for octets in (b" ", doubled)) == {
            "The header is not strict JSON in UTF-8."
        }
        assert cause(with_header(TOKEN, b'[["alg","HS256"]]', KEY)) == "The header is not a JSON object."

    def test_it_has_three_members_which_are_text(self):
        others = [{"alg": GONE}, {"kid": GONE}, {"typ": GONE}, {"jku": "https://evil.example"}, {"crit": []}]
        assert causes(altered(TOKEN, KEY, header=other) for other in others) == {MEMBERS}
        wrong = [{"alg": None}, {"kid": 1}, {"typ": ["at+jwt"]}]
        assert causes(altered(TOKEN, KEY, header=other) for other in wrong) == {"A member of the header is not text."}

    def test_another_type_is_refused(self):
        types = ("JWT", "", "at", "at+jwt ", "text/at+jwt", "application/application/at+jwt")
        assert causes(altered(TOKEN, KEY, header={"typ": typ}) for typ in types) == {"The token is of another type."}

    def test_the_key_is_on_the_ring_and_has_signed(self):
        kids = ("", KEY.kid[:-1], KEY.kid.swapcase())
        assert causes(altered(TOKEN, KEY, header={"kid": kid}) for kid in kids) == {"The key is not on the ring."}
        under_ours = altered(TOKEN, derive("another secret"))
        under_the_older = altered(TOKEN, KEY, header={"kid": derive("an older secret of fifty letters").kid})
        assert causes((under_ours, under_the_older)) == {"The signature does not fit."}

    def test_the_algorithm_is_the_keys_and_no_other(self):
        algorithms = ("none", "", "hs256", "HS512", "ES256")
        assert causes(altered(TOKEN, KEY, header={"alg": alg}) for alg in algorithms) == {
            "The algorithm is not the key's."
        }
        ring = KeyRing(KEY, {KEY.kid: replace(KEY, alg="HS512")})
        assert cause(TOKEN, lambda token: read(token, ring)) == "The algorithm is not the key's."


class TestThePayload:
    @pytest.mark.parametrize(
        "octets",
        [
            pytest.param(b" ", id="nothing"),
            pytest.param(b'{"a":1}{"a":1}', id="two objects"),
            pytest.param(b'\xef\xbb\xbf{"a":1}', id="BOM"),
            pytest.param('{"a":1}'.encode("utf-16"), id="UTF-16"),
            pytest.param('{"a":1}'.encode("utf-32-be"), id="UTF-32BE"),
            pytest.param(b'{"a":"\xe9"}', id="Latin-1"),
            pytest.param(b'{"a":NaN}', id="NaN"),
            pytest.param(b'{"a":-Infinity}', id="-Infinity"),
            pytest.param(b'{"a":1,"a":1}', id="doubled member"),
            pytest.param(b'{"a":1,"\\u0061":1}', id="doubled member, once escaped"),
            pytest.param(b'{"b":[{"a":1,"a":2}]}', id="doubled member, nested"),
            pytest.param(b'{"a":"\\ud800"}', id="half a character"),  # no response could carry it, no database store it
            pytest.param(b"[" * 1200 + b"]", id="nested deeply"),
        ],
    )
    def test_it_is_strict_json(self, octets):
        assert cause(with_payload(TOKEN, octets, KEY)) == "The payload is not strict JSON in UTF-8."

    def test_it_is_an_object(self):
        payloads = (b"[]", b"null", b'[["sub","42"]]')
        assert causes(with_payload(TOKEN, octets, KEY) for octets in payloads) == {"The payload is not a JSON object."}

    @of_both_kinds
    @pytest.mark.parametrize(
        ("name", "sentence"),
        [
            ("iss", "The issuer is not this site."),
            ("aud", "The audience is not exactly ours."),
            ("type", "The claim `type` is of the other kind."),
        ],
        ids=["iss", "aud", "type"],
    )
    def test_it_is_of_this_site_for_this_audience_and_of_this_kind(self, token, reader, name, sentence):
        ours = claims_in(token)[name]
        for other in (GONE, None, "", f"{ours}/", ours.upper(), [ours]):
            assert cause(altered(token, KEY, payload={name: other}), reader) == sentence


class TestTheClaims:
    @with_claims("sub", "sid", "jti", "rti")
    def test_text_is_text(self, token, reader, name):
        for value in (GONE, None, "", 42, ["42"]):
            wrong = altered(token, KEY, payload={name: value})
            assert cause(wrong, reader) == f"The claim `{name}` is missing or not text."

    @with_claims("gen", "iat", "exp", "ver")
    def test_a_number_is_a_plain_integer_below_2_to_the_53(self, token, reader, name):
        for value in (GONE, None, True, "1", 1.0, -1, LARGEST):
            wrong = altered(token, KEY, payload={name: value})
            assert cause(wrong, reader) == f"The claim `{name}` is missing or not a plain integer."
        assert getattr(reader(altered(token, KEY, payload={name: 2**53 - 1})), name) == LARGEST - 1

    @with_claims("sid", "jti", "rti")
    def test_an_id_has_one_form(self, token, reader, name):
        right = REFRESH.sid
        for other in (
            right.upper(),
            f"{{{right}}}",
            right.replace("-", ""),
            f"{right}\n",
            right.replace("0", "\uff10"),
        ):
            wrong = altered(token, KEY, payload={name: other})
            assert cause(wrong, reader) == f"The claim `{name}` is not a UUID in its canonical form."

    def test_a_mark_is_a_boolean(self):
        marks = ((TOKEN, read, "new"), (TOKEN, read, "partial"), (refresh_token(), reread, "remember"))
        for token, reader, name in marks:
            tokens = (altered(token, KEY, payload={name: value}) for value in (1, "true", None))
            assert causes(tokens, reader) == {f"The claim `{name}` is not a boolean."}

    def test_how_the_person_signed_in_is_a_list_of_texts_and_when_a_number(self):
        wrong = (altered(TOKEN, KEY, payload={"amr": value}) for value in ("pwd", [1], [""], None, {"pwd": 1}))
        assert causes(wrong) == {"The claim `amr` is not a list of texts."}
        assert cause(altered(TOKEN, KEY, payload={"acr": ""})) == "The claim `acr` is missing or not text."
        assert "auth_time" in cause(altered(TOKEN, KEY, payload={"auth_time": None}))

    def test_what_is_said_about_the_person_is_plain(self):
        """json.loads() makes 1e999 infinity, without asking parse_constant."""
        too_great = with_payload(TOKEN, part(TOKEN, 1).replace(b'"age":30', b'"age":1e999'), KEY)
        others = (altered(TOKEN, KEY, payload={"username": value}) for value in (1.5, ["a"], {}))
        assert causes((too_great, *others)) == {PLAIN}

    def test_no_token_says_not_before_and_a_refresh_token_nothing_else(self):
        """Nobody here would obey it."""
        assert cause(altered(TOKEN, KEY, payload={"nbf": ACCESS.iat})) == FOREIGN
        others = (altered(refresh_token(), KEY, payload={name: 1}) for name in ("nbf", "username", "ver", ""))
        assert causes(others, reread) == {FOREIGN}


class TestSigner:
    def test_it_is_the_key_that_signed_a_token_of_whichever_kind(self):
        older = derived_ring("an older secret of fifty letters")
        assert [signer(token, ring=RING) for token, _ in KINDS.values()] == [KEY, KEY]
        assert signer(access_token(ring=older), ring=RING) == older.current
        assert signer(raw(part(TOKEN, 0), b"{}", KEY), ring=RING) == KEY

    def test_of_a_token_that_nobody_here_signed_there_is_none(self):
        for token in (altered(TOKEN, derive("another secret")), access_token(ring=derived_ring("another secret"))):
            with pytest.raises(InvalidToken):
                signer(token, ring=RING)


class TestCheckTimes:
    NOW = 1_700_000_000.0

    def expired(self, claims, now, lifetime=10**9):
        with pytest.raises(ExpiredToken, match=r"^The token has expired\.$"):
            check_times(claims, now=now, lifetime=lifetime)

    @pytest.mark.parametrize("claims", [ACCESS, REFRESH], ids=["access", "refresh"])
    def test_a_token_is_good_until_the_second_of_its_end(self, claims):
        check_times(claims, now=claims.exp - 0.001, lifetime=10**9)
        self.expired(claims, now=claims.exp)

    def test_a_lifetime_that_was_shortened_meanwhile_counts(self):
        check_times(ACCESS, now=ACCESS.iat + 299.9, lifetime=300)
        self.expired(ACCESS, now=ACCESS.iat + 300, lifetime=300)

    def test_a_clock_may_be_a_minute_ahead(self):
        """A token of the far future is refused, whatever its end."""
        check_times(replace(ACCESS, iat=int(self.NOW) + LEEWAY, exp=2**40), now=self.NOW, lifetime=900)
        for claims in (
            replace(ACCESS, iat=int(self.NOW) + LEEWAY + 1, exp=2**40),
            replace(ACCESS, iat=2**53 - 1, exp=0),
        ):
            with pytest.raises(InvalidToken, match=r"^The token was made in the future\.$"):
                check_times(claims, now=self.NOW, lifetime=900)
