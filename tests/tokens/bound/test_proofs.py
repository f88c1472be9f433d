"""Proofs of all kinds, sent to the endpoints by no browser: what is refused, how much work that is, and outages."""

import json
from base64 import urlsafe_b64encode
from functools import partial
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from django.core.cache.backends.locmem import LocMemCache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.conftest import PASSWORD
from tests.tokens.clock import elapse
from tests.tokens.device import REGISTRATION, AsgiClient, Device, WsgiClient
from tests.tokens.outage import gone
from tests.tokens.racing import together
from tokens import cookies
from tokens.core import proofs
from tokens.core.exceptions import InvalidToken
from tokens.models import RefreshToken

pytestmark = [pytest.mark.urls("tests.tokens.urls"), pytest.mark.django_db]

P256, P384 = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())
ES256, RS256 = {"typ": "dbsc+jwt", "alg": "ES256"}, {"typ": "dbsc+jwt", "alg": "RS256"}


class Unreachable(LocMemCache):
    def get_many(self, *args, **kwargs):
        raise ConnectionError


def base64url(data):
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value):
    return base64url(value.to_bytes((value.bit_length() + 7) // 8))


def compact(header, payload, sign):
    """A JWT whose header and payload are text, or what becomes JSON."""
    parts = [part if isinstance(part, str) else json.dumps(part) for part in (header, payload)]
    signed = ".".join(base64url(part.encode("utf-8", "surrogatepass")) for part in parts)
    return f"{signed}.{base64url(sign(signed.encode()))}"


def by_curve(key, data):
    size = (key.key_size + 7) // 8
    return b"".join(value.to_bytes(size) for value in decode_dss_signature(key.sign(data, ec.ECDSA(SHA256()))))


def by_rsa(key, data):
    return key.sign(data, padding.PKCS1v15(), SHA256())


def by_numbers(n, d, data):
    """A signature of a key that libraries refuse to sign with (RFC 8017 §8.2.1)."""
    size = (n.bit_length() + 7) // 8
    digest = bytes.fromhex("3031300d060960864801650304020105000420") + sha256(data).digest()
    padded = b"\0\1" + b"\xff" * (size - len(digest) - 3) + b"\0" + digest
    return pow(int.from_bytes(padded), d, n).to_bytes(size)


def by_nobody(data):
    return b"\1" * 64


def of_curve(key, name):
    size, public = (key.key_size + 7) // 8, key.public_key().public_numbers()
    return {"kty": "EC", "crv": name, "x": base64url(public.x.to_bytes(size)), "y": base64url(public.y.to_bytes(size))}


def of_rsa(key):
    public = key.public_key().public_numbers()
    return {"kty": "RSA", "n": number(public.n), "e": number(public.e)}


def of_edwards(key):
    return {"kty": "OKP", "crv": "Ed25519", "x": base64url(key.public_key().public_bytes_raw())}


def bare_rsa(n, e="AQAB"):
    return {"kty": "RSA", "n": number(n), "e": e}


GOOD, by_p256 = of_curve(P256, "P-256"), partial(by_curve, P256)


def signed(c, *, jwk=GOOD, sign=by_p256, header=ES256, payload=None, **members):
    """A proof of the challenge `c` that is good but for what is named. The key is left out if it is None."""
    key = {} if jwk is None else {"jwk": jwk}
    return compact(header | key | members, {"jti": c} if payload is None else payload, sign)


@pytest.fixture(scope="module")
def hostile():
    """What is refused whichever endpoint it is sent to, each with the name of what is wrong. Each takes a challenge."""
    proofs = {
        "nothing": lambda c, **key: "",
        "quotes": lambda c, **key: '"' * 5000,
        "64 KB": lambda c, **key: "a" * 65536,
        "64 KB of dots": lambda c, **key: "." * 65536,
        "not ASCII": lambda c, **key: signed(c, **key) + "é",
        "twice": lambda c, **key: ", ".join([signed(c, **key)] * 2),
        "a list of RFC 9651": lambda c, **key: f"({signed(c, **key)})",
        "spaces within": lambda c, **key: signed(c, **key).replace(".", " .", 1),
        "padded": lambda c, **key: signed(c, **key) + "==",
        "no signature": lambda c, **key: signed(c, **key).rpartition(".")[0] + ".",
        "another's signature": lambda c, **key: signed(c, sign=by_nobody, **key),
        "the header no object": lambda c, **key: compact("[]", {"jti": c}, by_nobody),
        "a deep header": lambda c, **key: compact("[" * 1000 + "]" * 1000, {"jti": c}, by_nobody),
        "a long number": lambda c, **key: compact('{"alg":' + "9" * 1500 + "}", {"jti": c}, by_nobody),
        "half a character": lambda c, **key: signed(c, payload='{"jti":"\\ud800"}', **key),
        "a member twice": lambda c, **key: signed(c, payload=f'{{"jti":"{c}","jti":"{c}"}}', **key),
        "the payload no object": lambda c, **key: signed(c, payload=f'["{c}"]', **key),
        "another challenge": lambda c, **key: signed("c", **key),
        "no challenge": lambda c, **key: signed(c, payload={}, **key),
        "a challenge that is a list": lambda c, **key: signed(c, payload={"jti": [c]}, **key),
    }
    for name, members in {
        "none": {"alg": "none"},
        "alg a list": {"alg": ["ES256"]},
        "alg an object": {"alg": {}},
        "EdDSA": {"alg": "EdDSA"},
        "ES384": {"alg": "ES384"},
        "another typ": {"typ": "JWT"},
        "typ a number": {"typ": 1},
        "kid": {"kid": "1"},
        "jku": {"jku": "https://example.org/"},
        "crit": {"crit": ["b64"], "b64": False},
    }.items():
        proofs[name] = lambda c, members=members, **key: signed(c, header=ES256 | members, **key)
    return proofs


@pytest.fixture(scope="module")
def long():
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def hostile_keys(long):
    """Registrations of keys that must not be kept, properly signed wherever that can be."""
    edwards = ed25519.Ed25519PrivateKey.generate()
    cube = rsa.generate_private_key(3, 2048)
    n, p = long.public_key().public_numbers().n, long.private_numbers().p
    by_prime = partial(by_numbers, p, pow(65537, -1, p - 1))
    by_power = partial(by_numbers, p**8, pow(65537, -1, p**7 * (p - 1)))
    by_long = {"header": RS256, "sign": partial(by_rsa, long)}
    return {
        "none": {"jwk": None},
        "text": {"jwk": "text"},
        "empty": {"jwk": {}},
        "oct": {"jwk": {"kty": "oct", "k": base64url(b"s" * 32)}, "header": {**ES256, "alg": "HS256"}},
        "Ed25519": {"jwk": of_edwards(edwards), "header": ES256 | {"alg": "EdDSA"}, "sign": edwards.sign},
        "private": {"jwk": GOOD | {"d": number(P256.private_numbers().private_value)}},
        "for encryption": {"jwk": GOOD | {"use": "enc"}},
        "another curve": {"jwk": of_curve(P384, "P-384"), "sign": partial(by_curve, P384)},
        "named P-256": {"jwk": of_curve(P384, "P-256"), "sign": partial(by_curve, P384)},
        "beside the curve": {"jwk": GOOD | {"y": GOOD["x"]}},
        "no point": {"jwk": GOOD | {"x": base64url(bytes(32)), "y": base64url(bytes(32))}},
        "beyond the field": {"jwk": GOOD | {"x": base64url(b"\xff" * 32)}},
        "x a number": {"jwk": GOOD | {"x": 1}},
        "kty a list": {"jwk": GOOD | {"kty": ["EC"]}},
        "of the other kind": {"jwk": of_rsa(long)},
        "RSA 1024": {"jwk": bare_rsa(p), "header": RS256, "sign": by_prime},
        "RSA 8192": {"jwk": bare_rsa(p**8), "header": RS256, "sign": by_power},
        "e = 1": {"jwk": bare_rsa(n, e="AQ"), "header": RS256, "sign": partial(by_numbers, n, 1)},
        "e = 3": {"jwk": of_rsa(cube), "header": RS256, "sign": partial(by_rsa, cube)},
        "a long e": {"jwk": of_rsa(long) | {"e": number(n - 2)}, **by_long},
        "n even": {"jwk": bare_rsa(n - 1), **by_long},
        "n a power of two": {"jwk": bare_rsa(1 << 2047), **by_long},
        "n zero": {"jwk": bare_rsa(0), **by_long},
    }


@pytest.fixture(params=[WsgiClient, AsgiClient], ids=["wsgi", "asgi"])
def signed_in(request, settings, bob):
    """A device whose client has just signed in, and the offer that it got."""
    settings.TOKENS_BOUND_LIFETIME = 600
    device = Device(request.param())
    response = device.client.post("/log-in/", {"username": "bob", "password": PASSWORD})
    return device, response


@pytest.fixture
def bound(signed_in):
    """The same device once it is bound, by the key that signs here."""
    device, response = signed_in
    device.key = P256
    return device.bind(response)


def sent(device, url, proof, id=None):
    """The status of the answer, whether a mark came with it, and the queries that it cost."""
    with CaptureQueriesContext(connection) as captured:
        answer = device.post(url, proof, id=id)
    return answer.status_code, bool(answer.cookies), len(captured)


class TestRegistration:
    def test_of_hostile_proofs_costs_no_query_and_binds_nothing(self, signed_in, hostile, hostile_keys):
        device, response = signed_in
        offer = REGISTRATION.fullmatch(response.headers["Secure-Session-Registration"])
        url, challenge = offer["path"], offer["challenge"]
        proofs = {name: make(challenge) for name, make in hostile.items()}
        proofs |= {f"key: {name}": signed(challenge, **key) for name, key in hostile_keys.items()}
        answers = {name: sent(device, url, proof) for name, proof in proofs.items()}
        assert answers == dict.fromkeys(proofs, (401, False, 0))
        assert RefreshToken.objects.get().bound_key == ""
        assert sent(device, url, signed(challenge))[:2] == (200, True)

    @pytest.mark.parametrize("form", ['"{}"', "{}"])
    def test_of_either_algorithm_bare_or_in_quotes(self, signed_in, long, form):
        device, response = signed_in
        offer = REGISTRATION.fullmatch(response.headers["Secure-Session-Registration"])
        for key in ({}, {"jwk": of_rsa(long), "header": RS256, "sign": partial(by_rsa, long)}):
            proof = form.format(signed(offer["challenge"], **key))
            RefreshToken.objects.update(bound_key="", bound_at=None)
            assert sent(device, offer["path"], proof)[:2] == (200, True)

    @pytest.mark.parametrize(("member", "complaint"), [("d", "not public"), ("e", "exponent")])
    def test_of_a_key_that_takes_long_is_refused_unread(self, long, member, complaint):
        """Whether `d` fits, and which factors follow from it, would take seconds to find out."""
        with pytest.raises(InvalidToken, match=complaint):
            proofs.read_registration(signed("c", jwk=of_rsa(long) | {member: "AQABAQ"}, header=RS256))

    def test_of_a_challenge_that_is_no_text_is_refused(self):
        with pytest.raises(InvalidToken, match="jti"):
            proofs.read_registration(signed(1))


class TestRefresh:
    def test_of_hostile_proofs_costs_one_query_and_asks_for_another(self, bound, hostile):
        bound.post(bound.url, id=bound.session)
        challenge = bound.challenge
        proofs = {name: make(challenge, jwk=None) for name, make in hostile.items()}
        proofs |= {"a key": signed(challenge)}
        answers = {name: sent(bound, bound.url, proof, bound.session) for name, proof in proofs.items()}
        assert answers == dict.fromkeys(proofs, (403, False, 1))
        assert sent(bound, bound.url, signed(challenge, jwk=None), bound.session)[:2] == (200, True)

    def test_of_odd_ids_costs_no_query(self, bound):
        proof = bound.proof(bound.challenge)
        for id in ("", "é", '"', "a" * 65536, f"{bound.session},{bound.session}", f"{bound.session}\0", "0" * 31):
            assert sent(bound, bound.url, proof, id) == (401, False, 0)
        assert bound.refresh().status_code == 200


@pytest.mark.django_db(transaction=True)
class TestRaces:
    def test_one_of_several_registrations_binds(self, signed_in):
        device, response = signed_in
        devices = [Device(type(device.client)()) for _ in range(4)]
        answers = together([lambda device=device: device.register(response) for device in devices])
        assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]
        [bound] = [device for device in devices if device.url]
        assert bound.refresh().status_code == 200

    def test_one_of_several_equal_proofs_counts_and_the_others_are_asked_for_another(self, bound):
        copies = [bound.copy() for _ in range(4)]
        answers = together([copy.refresh for copy in copies])
        assert sorted(answer.status_code for answer in answers) == [200, 403, 403, 403]
        refused = next(copy for copy, answer in zip(copies, answers, strict=True) if answer.status_code == 403)
        assert refused.challenge != bound.challenge
        assert refused.refresh().status_code == 200


class TestOutages:
    def test_of_the_database(self, signed_in):
        device, response = signed_in
        with gone():
            assert device.register(response).status_code == 503
        device.bind(response)
        device.client.get("/who/")
        with gone():
            answer = device.refresh()
        assert (answer.status_code, set(answer.cookies)) == (503, set())
        with gone():
            assert device.client.get("/who/").content == b"bob"
            assert device.client.get("/guarded/").status_code == 503
        elapse(16 * 60, device.client)
        for mark in (True, False):
            if not mark:
                del device.client.cookies[cookies.name_of("bound")]
            with gone():
                answer = device.client.get("/who/")
            assert (answer.status_code, set(answer.cookies)) == (503, set())
        assert device.refresh().status_code == 200
        assert device.client.get("/guarded/").content == b"bob"

    def test_of_the_cache_of_the_revocation_list(self, signed_in, settings):
        device, response = signed_in
        settings.CACHES = {**settings.CACHES, "shared": {"BACKEND": f"{__name__}.Unreachable"}}
        settings.TOKENS_REVOCATION_CACHE, settings.TOKENS_REVOCATION_GRACE = "shared", 0
        device.bind(response)
        answer = device.client.get("/who/")
        assert (answer.status_code, set(answer.cookies)) == (503, set())
        assert device.refresh().status_code == 200
        settings.TOKENS_REVOCATION_CACHE = ""
        assert device.client.get("/guarded/").content == b"bob"
