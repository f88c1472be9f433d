"""The two ceremonies of WebAuthn: what a browser may send, and what none may."""

import json

import cbor2
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from webauthn.helpers import base64url_to_bytes as decoded
from webauthn.helpers import bytes_to_base64url as encoded

from accounts.factors import challenges, webauthn
from accounts.factors.challenges import InvalidResponse, Purpose
from accounts.factors.webauthn import CounterWentBack
from tests.factors.authenticator import BE, BS, ED, PRESENT, UP, UV, Authenticator

HANDLE = b"h" * 32
ORIGIN = "http://localhost"
SLOW_PATTERN = b"\xd8\x23" + cbor2.dumps("(?i)" + "[\\0-\U0010ffff]" * 500)  # seconds, if it is compiled


@pytest.fixture(autouse=True)
def _site(settings):
    settings.TOKENS_ISSUER = ORIGIN


@pytest.fixture
def authenticator():
    return Authenticator(ORIGIN)


def creation(purpose=Purpose.REGISTRATION, subject="s", **options):
    challenge = challenges.new(purpose, subject)
    about = {"handle": HANDLE, "name": "bob", "display_name": "Bob", **options}
    return webauthn.registration_options(challenge=challenge, **about)


def registered(response, purpose=Purpose.REGISTRATION, subject="s"):
    return webauthn.verify_registration(response, purpose=purpose, subject=subject)


def request(purpose=Purpose.SIGN_IN, subject=""):
    return webauthn.request_options(challenge=challenges.new(purpose, subject))


def asserted(response, passkey, purpose=Purpose.SIGN_IN, subject="", **stored):
    names = ("credential_id", "public_key", "sign_count", "backup_eligible")
    about = {"handle": HANDLE, **{name: getattr(passkey, name) for name in names}, **stored}
    return webauthn.verify_assertion(response, purpose=purpose, subject=subject, **about)


def changed(response, **members):
    """The JSON with other members: of the whole or of `response`, and bytes instead of what they encode."""
    data = json.loads(response)
    for name, value in members.items():
        place = data if name in data else data["response"]
        place[name] = encoded(value) if isinstance(value, bytes) else value
    return json.dumps(data)


class TestOptions:
    def test_what_the_browser_is_asked_to_make(self):
        options = creation(exclude=[(b"other", ["usb"])])
        assert options["authenticatorSelection"]["userVerification"] == "required"
        assert options["attestation"] == "none"
        assert options["extensions"] == {"credProps": True}
        assert options["hints"] == ["client-device", "hybrid"]
        assert options["excludeCredentials"] == [{"id": encoded(b"other"), "type": "public-key", "transports": ["usb"]}]
        assert [one["alg"] for one in options["pubKeyCredParams"]] == [-7, -8, -257]
        json.dumps(options)

    def test_what_it_is_asked_to_sign_with(self):
        options = webauthn.request_options(challenge=b"c", allow=[(b"mine", [])])
        assert options["userVerification"] == "required"
        assert options["allowCredentials"] == [{"id": encoded(b"mine"), "type": "public-key"}]

    @pytest.mark.parametrize(
        ("issuer", "origin"),
        [("https://Example.org:443/app", "https://example.org"), ("http://localhost:8000", "http://localhost:8000")],
    )
    def test_the_issuer_says_where_this_is(self, settings, issuer, origin):
        settings.TOKENS_ISSUER = issuer
        assert webauthn.origin() == origin
        assert webauthn.rp_id() == origin.split("//")[1].split(":")[0]


class TestVerifyRegistration:
    def test_a_synced_passkey(self, authenticator):
        made = registered(authenticator.create(creation()))
        assert made.credential_id == authenticator.credentials[0].id
        assert made.transports == ("internal", "hybrid")
        assert (made.backup_eligible, made.backed_up, made.discoverable, made.sign_count) == (True, True, True, 0)

    def test_a_device_bound_one_that_needs_a_user_name(self, authenticator):
        authenticator.flags, authenticator.step = PRESENT, 7
        made = registered(authenticator.create(creation(), extensions={"credProps": {"rk": False}}))
        assert (made.backup_eligible, made.backed_up, made.discoverable, made.sign_count) == (False, False, False, 7)

    def test_a_browser_that_tells_nothing_of_credProps_means_any_passkey(self, authenticator):
        assert registered(authenticator.create(creation(), extensions={})).discoverable

    @pytest.mark.parametrize("statement", [{"sig": b"x", "alg": -7}, {"x5c": [b"not a certificate"]}])
    def test_an_attestation_that_nobody_asked_for_is_not_looked_at(self, authenticator, statement):
        response = authenticator.create(creation())
        attested = cbor2.loads(decoded(json.loads(response)["response"]["attestationObject"]))
        attested |= {"fmt": "packed", "attStmt": statement}
        assert registered(changed(response, attestationObject=cbor2.dumps(attested)))

    def test_only_one_that_the_browser_makes_unasked_needs_no_presence(self, authenticator):
        authenticator.flags = BE | BS
        purpose = Purpose.CONDITIONAL_REGISTRATION
        assert registered(authenticator.create(creation(purpose)), purpose)
        with pytest.raises(InvalidResponse, match="presence was required"):
            registered(authenticator.create(creation()))
        with pytest.raises(InvalidResponse, match="not made for this"):
            registered(authenticator.create(creation()), purpose)

    @pytest.mark.parametrize(
        ("settings_of_it", "client", "cause"),
        [
            ({"flags": UP | BE}, {}, "verification is required"),
            ({"flags": PRESENT | BS}, {}, "Single-device credential"),
            ({"rp_id": "other.example"}, {}, "Unexpected RP ID hash"),
            ({"origin": "http://localhost.other.example"}, {}, "Unexpected client data origin"),
            ({"key": "ES384"}, {}, "Unsupported credential public key alg"),
            ({}, {"type": "webauthn.get"}, "Unexpected client data type"),
            ({}, {"crossOrigin": True}, "in a frame"),
            ({}, {"challenge": encoded(b"c" * 56)}, "not made for this"),
            ({}, {"challenge": 5}, "Error: "),
        ],
    )
    def test_what_is_refused(self, settings_of_it, client, cause):
        authenticator = Authenticator(**{"origin": ORIGIN, **settings_of_it})
        with pytest.raises(InvalidResponse, match=cause):
            registered(authenticator.create(creation(), **client))

    def test_a_point_that_is_on_no_curve_is_no_key(self, authenticator):
        response = authenticator.create(creation())
        attested = cbor2.loads(decoded(json.loads(response)["response"]["attestationObject"]))
        attested["authData"] = attested["authData"][:-32] + bytes(32)
        with pytest.raises(InvalidResponse, match="ValueError"):
            registered(changed(response, attestationObject=cbor2.dumps(attested)))

    def test_tags_are_refused_before_they_cost_anything(self, authenticator):
        response = authenticator.create(creation())
        attested = cbor2.loads(decoded(json.loads(response)["response"]["attestationObject"]))
        for damaged in (
            cbor2.dumps({**attested, "authData": attested["authData"][:-77] + b"\xa1\x01" + SLOW_PATTERN}),
            cbor2.dumps({**attested, "authData": attested["authData"] + SLOW_PATTERN}),
            b"\xa1\x67attStmt" + SLOW_PATTERN,
        ):
            with pytest.raises(InvalidResponse, match="tag"):
                registered(changed(response, attestationObject=damaged))


class TestVerifyAssertion:
    @pytest.mark.parametrize("key", ["ES256", "Ed25519", "RS256"])
    def test_each_algorithm(self, authenticator, key):
        authenticator.key = key
        passkey = registered(authenticator.create(creation()))
        response = authenticator.get(request())
        assert webauthn.credential_id_of(response) == passkey.credential_id
        proven = asserted(response, passkey)
        assert (proven.sign_count, proven.backed_up) == (0, True)
        assert proven.moment < asserted(authenticator.get(request()), passkey).moment

    def test_extensions_that_nobody_asked_for_are_skipped(self, authenticator):
        passkey = registered(authenticator.create(creation()))
        assert asserted(authenticator.get(request(), tail=cbor2.dumps({"uvm": [[1, 2, 3]]}), more=ED), passkey)

    def test_a_response_is_good_for_its_own_ceremony_only(self, authenticator):
        passkey = registered(authenticator.create(creation()))
        response = authenticator.get(request(Purpose.SECOND_FACTOR, "one"))
        assert asserted(response, passkey, Purpose.SECOND_FACTOR, "one")
        for purpose, subject in [
            (Purpose.SECOND_FACTOR, "two"),
            (Purpose.REAUTHENTICATION, "one"),
            (Purpose.SIGN_IN, ""),
        ]:
            with pytest.raises(InvalidResponse, match="not made for this"):
                asserted(response, passkey, purpose, subject)

    def test_a_passkey_says_whose_it_is_unless_it_was_asked_for_by_id(self, authenticator):
        passkey = registered(authenticator.create(creation()))
        for handle in (b"another's", b""):
            authenticator.credentials[0].handle = handle
            with pytest.raises(InvalidResponse, match="another user"):
                asserted(authenticator.get(request()), passkey)
        assert asserted(authenticator.get(request(Purpose.SECOND_FACTOR)), passkey, Purpose.SECOND_FACTOR)
        authenticator.credentials[0].handle = b"another's"
        with pytest.raises(InvalidResponse, match="another user"):
            asserted(authenticator.get(request(Purpose.SECOND_FACTOR)), passkey, Purpose.SECOND_FACTOR)

    @pytest.mark.parametrize(
        ("settings_of_it", "client", "cause"),
        [
            ({"flags": UP | BE | BS}, {}, "verification is required"),
            ({"flags": UV | BE | BS}, {}, "not present"),
            ({"flags": PRESENT}, {}, "changed between device-bound and synced"),
            ({"rp_id": "other.example"}, {}, "Unexpected RP ID hash"),
            ({"origin": "https://localhost"}, {}, "Unexpected client data origin"),
            ({}, {"type": "webauthn.create"}, "Unexpected client data type"),
            ({}, {"crossOrigin": True}, "in a frame"),
        ],
    )
    def test_what_is_refused(self, authenticator, settings_of_it, client, cause):
        passkey = registered(authenticator.create(creation()))
        vars(authenticator).update(settings_of_it)
        with pytest.raises(InvalidResponse, match=cause):
            asserted(authenticator.get(request(), **client), passkey)

    def test_signatures_of_others_are_refused(self, authenticator):
        passkey, other = (registered(authenticator.create(creation())) for _ in range(2))
        response = authenticator.get(request())
        with pytest.raises(InvalidResponse, match="of another passkey"):
            asserted(response, passkey)
        with pytest.raises(InvalidResponse, match="Could not verify"):
            asserted(response, other, public_key=passkey.public_key)
        with pytest.raises(InvalidResponse, match="Could not verify"):
            asserted(changed(response, signature=b"x"), other)

    def test_a_counter_only_grows_where_a_passkey_stays_on_its_device(self, authenticator):
        authenticator.flags, authenticator.step = PRESENT, 1
        bound = registered(authenticator.create(creation()))
        assert asserted(authenticator.get(request()), bound).sign_count == 2
        with pytest.raises(CounterWentBack):
            asserted(authenticator.get(request()), bound, sign_count=3)
        with pytest.raises(InvalidResponse, match="Could not verify"):  # a stranger is not told as a copy
            asserted(changed(authenticator.get(request()), signature=b"x"), bound, sign_count=9)
        authenticator.flags |= BE
        synced = registered(authenticator.create(creation()))
        assert asserted(authenticator.get(request()), synced, sign_count=9).sign_count == 2

    def test_tags_are_refused_before_they_cost_anything(self, authenticator):
        passkey = registered(authenticator.create(creation()))
        with pytest.raises(InvalidResponse, match="tag"):
            asserted(authenticator.get(request(), tail=SLOW_PATTERN, more=ED), passkey)


class TestStrangeInput:
    @pytest.mark.parametrize(
        "response",
        ["", "null", "[]", "{", "[" * 9000, '{"id":' * 2000, "1" * 9000, "{}" + " " * 17_000, '"\\ud800"', "\0"],
    )
    def test_what_is_no_response(self, response, authenticator):
        passkey = registered(authenticator.create(creation()))
        for verify in (registered, webauthn.credential_id_of, lambda one: asserted(one, passkey)):
            with pytest.raises(InvalidResponse):
                verify(response)

    @pytest.mark.slow
    @examples(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_damaged_responses_raise_nothing_else(self, data):
        authenticator = Authenticator(ORIGIN)
        creating = authenticator.create(creation())
        passkey = registered(creating)
        creates = data.draw(st.booleans())
        response = json.loads(creating if creates else authenticator.get(request()))
        damage(response, data.draw)
        sent = json.dumps(response)
        try:
            registered(sent) if creates else asserted(sent, passkey)
            webauthn.credential_id_of(sent)
        except InvalidResponse as error:
            assert 0 < len(str(error)) <= 200


def damage(response, draw):
    """Put something else in one place: any JSON or, where bytes are encoded, those bytes with a few changed."""
    names = [*((response, name) for name in response), *((response["response"], name) for name in response["response"])]
    place, name = draw(st.sampled_from(names))
    if not isinstance(place[name], str) or draw(st.integers(0, 4)) == 0:
        scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
        place[name] = draw(st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
        return
    plain = name in ("id", "type", "authenticatorAttachment")
    whole = bytearray(place[name].encode() if plain else decoded(place[name]))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, 999)) % len(whole)  # which differs from one signature to the next
        whole[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=4))
    place[name] = whole.decode("latin-1") if plain else encoded(bytes(whole))
