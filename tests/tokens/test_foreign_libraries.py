"""Other libraries read our tokens; and forge them with every mistake that some library has once let pass."""

import json
from base64 import b64encode
from time import time

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.test import Client

from tests.tokens.clock import jar
from tests.tokens.foreign import Joserfc, Jwcrypto
from tests.tokens.forge import base64url
from tokens import verification
from tokens.conf import conf
from tokens.core import keyfile
from tokens.core import keys as signing_keys
from tokens.core.keys import thumbprint

pytestmark = [
    pytest.mark.once,
    pytest.mark.urls("tests.tokens.urls"),
    pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning"),  # it says what it thinks of such tokens
]

SHAPE = "The token is not three parts of the base64url alphabet."
MEMBERS = "The header's members are not exactly alg, kid and typ."
ALGORITHM = "The algorithm is not the key's."
TYPE = "The token is of another type."
PAYLOAD = "The payload is not strict JSON in UTF-8."
AUDIENCE = "The audience is not exactly ours."

UUID = "50011152-dee5-4af5-885d-8f2c58ae8fb8"
HERE = "https://evil.example/keys.json"
PUBLIC_FORMS = {
    "PEM": (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    "DER": (Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    "PKCS 1": (Encoding.PEM, PublicFormat.PKCS1),
    "point": (Encoding.X962, PublicFormat.UncompressedPoint),
    "raw": (Encoding.Raw, PublicFormat.Raw),
}
PUBLIC = [(alg, form) for alg in ("RS256", "ES256", "EdDSA") for form in ("JWK", "PEM", "DER")]
PUBLIC += [("RS256", "PKCS 1"), ("ES256", "point"), ("EdDSA", "raw")]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """For each algorithm a file with the site's key, that key, and another for whoever forges."""
    folder = tmp_path_factory.mktemp("keys")
    keys = {
        alg: (folder / alg, signing_keys.generate_jwk(alg), signing_keys.generate_jwk(alg))
        for alg in signing_keys.KINDS
    }
    keys["HS256"][1]["k"] = base64url(bytes(range(64)))  # long enough for HS512 as well
    for path, entry, _ in keys.values():
        keyfile.write(path, {"keys": [entry]})
    return keys


@pytest.fixture(params=list(signing_keys.KINDS))
def alg(request):
    return request.param


@pytest.fixture(params=[Jwcrypto, Joserfc], ids=lambda library: library.__name__)
def library(request):
    return request.param()


@pytest.fixture
def forger(made, library, alg, settings):
    path, *keys = made[alg]
    settings.TOKENS_KEYS = str(path)
    return Forger(library, alg, *map(bare, keys))


class Forger:
    """A library, the key of the site (`real`: what it may sign was signed by the site itself), and a key of its own."""

    def __init__(self, library, alg, real, own):
        self.library, self.alg, self.real, self.own = library, alg, real, own
        now = int(time())
        self.header = {"alg": alg, "kid": conf.key_ring.current.kid, "typ": "at+jwt"}
        self.claims = {"iss": conf.issuer, "aud": conf.audience, "type": "access", "sub": "42", "iat": now}
        self.claims |= {"exp": now + 900, "sid": UUID, "jti": UUID, "rti": UUID, "gen": 1, "ver": 0}

    def sign(self, key=None, payload=None, *, by="sign", **header):
        """A token by `key` (or the site's own), with these members of the header; None leaves one out."""
        members = {name: value for name, value in (self.header | header).items() if value is not None}
        return getattr(self.library, by)(members, payload or self.payload(), key or self.real)

    def payload(self, **claims):
        return json.dumps(self.claims | claims).encode()

    def encrypt(self, payload, **header):
        """Encrypted for somebody who shares a secret."""
        secret = {"kty": "oct", "k": base64url(bytes(16))}
        return self.library.encrypt({"alg": "dir", "enc": "A128GCM", "typ": "at+jwt", **header}, payload, secret)

    def public(self, form):
        """The site's public key as octets, as it might be passed to a verifier."""
        key = conf.key_ring.current
        return json.dumps(key.jwk).encode() if form == "JWK" else key.public.public_bytes(*PUBLIC_FORMS[form])


def bare(entry):
    return {name: value for name, value in entry.items() if name not in ("alg", "use", "state", "kid")}


def oct_key(secret):
    return {"kty": "oct", "k": base64url(secret)}


def half(entry):
    return {name: value for name, value in entry.items() if name in ("kty", "crv", "x", "y", "n", "e")}


MISTAKES = {
    "no algorithm": (lambda f: f.sign(alg="none"), SHAPE),
    "no algorithm and some signature": (lambda f: f.sign(alg="none") + "AAAA", ALGORITHM),
    "another key under our name": (lambda f: f.sign(f.own), "The signature does not fit."),
    "another key": (lambda f: f.sign(f.own, kid=thumbprint(f.own)), "The key is not on the ring."),
    "no kid": (lambda f: f.sign(kid=None), MEMBERS),
    "jwk": (lambda f: f.sign(f.own, jwk=half(f.own)), MEMBERS),
    "jku": (lambda f: f.sign(f.own, jku=HERE), MEMBERS),
    "x5u": (lambda f: f.sign(f.own, x5u=HERE), MEMBERS),
    "x5c": (lambda f: f.sign(f.own, x5c=[b64encode(b"no certificate").decode()]), MEMBERS),
    "x5t": (lambda f: f.sign(**{"x5t#S256": base64url(bytes(32))}), MEMBERS),
    "crit": (lambda f: f.sign(crit=["exp"], exp=1), MEMBERS),
    "zip": (lambda f: f.sign(zip="DEF"), MEMBERS),
    "no typ": (lambda f: f.sign(typ=None), MEMBERS),
    "typ JWT": (lambda f: f.sign(typ="JWT"), TYPE),
    "typ of a refresh token": (lambda f: f.sign(typ="rt+jwt"), TYPE),
    "typ of a proof": (lambda f: f.sign(typ="dpop+jwt"), TYPE),
    "another issuer": (lambda f: f.sign(payload=f.payload(iss="https://evil.example")), "The issuer is not this site."),
    "another audience": (lambda f: f.sign(payload=f.payload(aud="https://evil.example")), AUDIENCE),
    "many audiences": (lambda f: f.sign(payload=f.payload(aud=[conf.audience, "https://evil.example"])), AUDIENCE),
    "nested": (lambda f: f.sign(payload=f.sign().encode()), PAYLOAD),
    "nested, and says so": (lambda f: f.sign(payload=b"a.b.c", cty="JWT"), MEMBERS),
    "encrypted": (lambda f: f.encrypt(f.payload()), SHAPE),
    "signed, then encrypted": (lambda f: f.encrypt(f.sign().encode(), cty="JWT"), SHAPE),
    "compressed and encrypted": (lambda f: f.encrypt(f.payload(), zip="DEF"), SHAPE),
    "in JSON": (lambda f: f.sign(by="sign_in_json"), SHAPE),
    "detached": (lambda f: f.sign(by="sign_detached"), SHAPE),
    "not encoded": (lambda f: f.sign(payload=base64url(f.payload()).encode(), crit=["b64"], b64=False), MEMBERS),
    "encoded, and says so": (lambda f: f.sign(crit=["b64"], b64=True), MEMBERS),
}
# Of the real key, under another of its algorithms.
SISTERS = {"HS256": ["HS384", "HS512"], "RS256": ["PS256", "RS384", "RS512"], "EdDSA": ["Ed25519"]}


def refused(token, name="__Host-access"):
    """Asks for a page with this cookie, and gets it as nobody."""
    response = Client().get("/who/", HTTP_COOKIE=f"{name}={token}")
    assert response.content == b"nobody" and not response.cookies


class TestForgery:
    def test_a_token_without_a_mistake_is_taken(self, forger):
        """Or nothing below would be refused for its mistake."""
        assert verification.verify_access(forger.sign()).sub == "42"

    @pytest.mark.parametrize("mistake", MISTAKES)
    def test_a_mistake_is_refused(self, forger, mistake, caplog):
        forge, sentence = MISTAKES[mistake]
        caplog.set_level("INFO", logger="tokens")
        refused(forge(forger))
        assert caplog.messages == [sentence]

    @pytest.mark.parametrize("library", [Jwcrypto], indirect=True)  # the other one knows a public key when it sees it
    @pytest.mark.parametrize(("alg", "form"), PUBLIC, indirect=["alg"])
    def test_the_public_key_is_no_secret(self, forger, form, caplog):
        caplog.set_level("INFO", logger="tokens")
        refused(forger.sign(oct_key(forger.public(form)), alg="HS256"))
        assert caplog.messages == [ALGORITHM]

    @pytest.mark.parametrize("alg", SISTERS, indirect=True)
    def test_a_key_has_one_algorithm(self, forger, caplog):
        caplog.set_level("INFO", logger="tokens")
        for sister in SISTERS[forger.alg]:
            refused(forger.sign(alg=sister))
        assert set(caplog.messages) == {ALGORITHM}

    def test_a_forged_refresh_token_is_refused_alike(self, forger, caplog):
        caplog.set_level("INFO", logger="tokens")
        refused(forger.sign(), "__Host-refresh")
        refused(forger.sign(alg="none", typ="rt+jwt"), "__Host-refresh")
        assert caplog.messages == [TYPE, SHAPE]


@pytest.mark.django_db
class TestReading:
    @pytest.fixture
    def published(self, forger, made, alg):
        """What a neighbour has to go by; an HMAC key is told to nobody, so the site's own file it is."""
        keys = Client().get("/jwks/").json()["keys"]
        assert keys == [] if alg == "HS256" else not keys[0].keys() & {"d", "p", "q", "k"}
        return keys or [{name: value for name, value in made[alg][1].items() if name != "state"}]

    def test_other_libraries_read_both_tokens(self, forger, published, library, alg, bob, signed_in):
        tokens = jar(signed_in(bob))
        for kind in ("access", "refresh"):
            claims = library.read(tokens[kind], published, alg)
            assert (claims["type"], claims["sub"], claims["iss"]) == (kind, str(bob.pk), conf.issuer)

    def test_and_none_that_is_damaged_or_anothers(self, forger, published, library, alg, made, bob, signed_in):
        token = jar(signed_in(bob))["access"]
        head, _, signature = token.rpartition(".")
        _, payload, _ = token.split(".")
        other = bare(made[alg][2]) | {"kid": published[0]["kid"]}
        for damaged in (f"{head}.{signature[::-1]}", token.replace(payload, base64url(forger.payload()))):
            with pytest.raises(Exception):  # noqa: B017  (each library has its own)
                library.read(damaged, published, alg)
        with pytest.raises(Exception):  # noqa: B017
            library.read(token, [other], alg)
