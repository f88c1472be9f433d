"""The known attacks on JWTs (RFC 8725 §2 and the lists that testers work through), over HTTP, on real sign-ins."""

import base64
import hashlib
import hmac
import json
import socket
import time
from contextlib import closing
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core import signing

from tests.hostile.corpus import ACCESS, PROBE, REFRESH
from tests.tokens.forge import GONE, altered, base64url, part, raw, signed, with_header, with_payload
from tokens.core import keys
from tokens.core.keys import Key
from tokens.models import RefreshToken

SESSIONS = "/accounts/sessions/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def refused(opens, real):
    """`refused(forge)`: both kinds of token, forged by `forge(token, key)`, open nothing. The real ones do, still."""

    def refused(forge):
        for name in (ACCESS, REFRESH):
            assert not opens(f"{name}={forge(real.by(name), real.key)}"), name

    yield refused
    for name in (ACCESS, REFRESH):
        assert opens(f"{name}={real.by(name)}"), name


def test_the_real_tokens_open_and_so_does_one_that_is_signed_again(opens, real):
    """Or else nothing below could fail."""
    for name in (ACCESS, REFRESH):
        assert opens(f"{name}={real.by(name)}")
        assert opens(f"{name}={altered(real.by(name), real.key)}")


def unsigned(token, **header):
    members = json.loads(part(token, 0)) | header
    return f"{base64url(json.dumps(members).encode())}.{token.split('.')[1]}"


NONE = ["none", "None", "NONE", "nOnE", "NoNe", "none ", "non\u0435", "n\u00f6ne", "", "null", "HS256none", "none\0"]


@pytest.mark.once
class TestAlgorithms:
    @pytest.mark.parametrize("alg", [*NONE, None, False, 0, [], ["none"], ["HS256"], {"a": 1}], ids=repr)
    def test_none_in_any_spelling(self, refused, alg):
        for signature in ("", "AA", base64url(b"none"), base64url(b"\0" * 32)):
            refused(lambda token, key, signature=signature: f"{unsigned(token, alg=alg)}.{signature}")

    def test_no_algorithm_at_all(self, refused):
        refused(lambda token, key: altered(token, key, header={"alg": GONE}))

    @pytest.mark.parametrize("alg", ["HS384", "HS512"])
    def test_the_right_secret_with_another_hash(self, refused, alg):
        def forge(token, key):
            text = unsigned(token, alg=alg)
            return f"{text}.{base64url(hmac.digest(key.secret, text.encode(), 'sha' + alg[2:]))}"

        refused(forge)

    @pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "EdDSA"])
    def test_a_key_of_the_attackers_under_the_name_of_ours(self, refused, alg):
        refused(lambda token, key: by_foreign_key(token, alg, headers={"kid": key.kid}))

    @pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
    def test_the_public_key_as_the_secret_of_an_hmac(self, refused, alg):
        """The classic confusion; here with what is public about the site."""
        public = foreign_key(alg).public_key()
        pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        refused(lambda token, key: altered(token, Key(key.kid, "HS256", pem)))

    def test_the_jwk_set_as_the_secret_of_an_hmac(self, refused, wsgi):
        published = wsgi.get("/.well-known/jwks.json").body
        refused(lambda token, key: altered(token, Key(key.kid, "HS256", published)))
        assert b'"k"' not in published

    @pytest.mark.parametrize("alg", ["ES256", "ES384", "PS256", "RS256", "EdDSA"])
    @pytest.mark.parametrize("octets", [64, 96, 256, 0], ids=lambda size: f"{size} zeros")
    def test_a_psychic_signature(self, refused, alg, octets):
        """r = s = 0 was once a good ECDSA signature of anything (CVE-2022-21449)."""
        refused(lambda token, key: f"{unsigned(token, alg=alg)}.{base64url(bytes(octets))}")

    def test_a_signature_that_was_stripped(self, refused):
        refused(lambda token, key: token.rpartition(".")[0])
        refused(lambda token, key: token.rpartition(".")[0] + ".")

    def test_a_signature_of_something_else(self, refused, real):
        for other in (real.access, real.refresh, f"{base64url(b'{}')}.{base64url(b'{}')}"):
            signature = base64url(hmac.digest(real.key.secret, other.encode(), hashlib.sha256))
            refused(lambda token, key, signature=signature: f"{token.rpartition('.')[0]}.{signature}")


def foreign_key(alg):
    if alg in ("RS256", "PS256"):
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP256R1()) if alg == "ES256" else ed25519.Ed25519PrivateKey.generate()


def by_foreign_key(token, alg, headers):
    members = json.loads(part(token, 0)) | {"alg": alg} | headers
    return jwt.encode(json.loads(part(token, 1)), foreign_key(alg), alg, headers=members)


KIDS = {
    "SQL": "x' UNION SELECT 'secret' --",
    "SQL that drops": "x'; DROP TABLE tokens_refreshtoken; --",
    "a path to an empty file": "../../../../../../dev/null",
    "a path to a known file": "/proc/sys/kernel/randomize_va_space",
    "a Windows path": "..\\..\\..\\windows\\win.ini",
    "a command": "key;touch /tmp/owned|id`id`$(id)",
    "an address": "http://127.0.0.1:1/jwks.json",
    "a file's address": "file:///dev/null",
    "LDAP": "*)(uid=*))(|(uid=*",
    "a template": "{{config}}",
    "a NUL": "\0",
    "a line break": "x\r\nX-Injected: y",
    "nothing": "",
    "a number": 0,
    "null": None,
    "a list": ["a"],
    "an object": {"a": 1},
    "a prototype": "__proto__",
    "10,000 letters": "k" * 10_000,
}


@pytest.mark.once
class TestKeyNames:
    @pytest.mark.parametrize("kid", KIDS.values(), ids=KIDS)
    @pytest.mark.parametrize("secret", [b"", b"secret", b"\0"], ids=repr)
    def test_no_name_of_a_key_leads_to_a_key(self, refused, kid, secret):
        """Signed with what a file of that name, a query or a default would have given."""
        refused(lambda token, key: altered(token, Key(key.kid, "HS256", secret), header={"kid": kid}))
        refused(lambda token, key: altered(token, key, header={"kid": kid}))

    def test_a_token_that_names_no_key(self, refused):
        refused(lambda token, key: altered(token, key, header={"kid": GONE}))


@pytest.mark.once
class TestHeaders:
    @pytest.fixture
    def listener(self):
        """A server that nobody may call: `listener.address`, and at the end it has never been."""
        with closing(socket.create_server(("127.0.0.1", 0))) as listening:
            listening.setblocking(False)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
            with pytest.raises(BlockingIOError):
                listening.accept()

    @pytest.mark.parametrize("name", ["jku", "x5u", "iss", "kid", "url"])
    def test_no_address_in_a_header_is_ever_called(self, refused, listener, name):
        refused(lambda token, key: altered(token, key, header={name: f"{listener}/keys.json"}))
        refused(lambda token, key: by_foreign_key(token, "ES256", headers={name: f"{listener}/keys.json"}))

    def test_nor_one_in_the_claims(self, refused, listener):
        refused(lambda token, key: altered(token, key, payload={"iss": listener, "jwks_uri": f"{listener}/keys"}))

    @pytest.mark.parametrize("name", ["jwk", "x5c", "x5t", "x5t#S256", "jwks"])
    def test_no_key_is_taken_from_a_header(self, refused, name):
        secret = b"the attacker's own secret, of 32 octets"
        key = {"kty": "oct", "k": base64url(secret), "alg": "HS256"}
        value = {"jwk": key, "jwks": {"keys": [key]}}.get(name, [base64.b64encode(secret).decode()])
        refused(lambda token, key: altered(token, Key(key.kid, "HS256", secret), header={name: value}))
        refused(lambda token, key: altered(token, key, header={name: value}))

    @pytest.mark.parametrize("critical", [[], ["exp"], ["b64"], ["x"], "exp", None, {}], ids=repr)
    def test_nothing_critical_is_understood(self, refused, critical):
        refused(lambda token, key: altered(token, key, header={"crit": critical, "x": 1}))

    def test_a_payload_that_is_not_encoded(self, refused):
        """RFC 7797: the signature is over the payload itself."""

        def forge(token, key):
            header = base64url(json.dumps(json.loads(part(token, 0)) | {"b64": False, "crit": ["b64"]}).encode())
            mac = hmac.digest(key.secret, header.encode() + b"." + part(token, 1), hashlib.sha256)
            return f"{header}.{token.split('.')[1]}.{base64url(mac)}"

        refused(forge)

    @pytest.mark.parametrize("name", ["zip", "enc", "cty", "p2c", "p2s", "epk", "nonce"])
    def test_no_member_of_another_kind_of_token(self, refused, name):
        refused(lambda token, key: altered(token, key, header={name: "DEF"}))

    def test_a_token_in_a_token(self, refused):
        nested = {"cty": "JWT"}
        refused(lambda token, key: raw(json.dumps(json.loads(part(token, 0)) | nested).encode(), token.encode(), key))
        refused(lambda token, key: signed(token.split(".")[0], base64url(token.encode()), key))

    def test_an_encrypted_token(self, refused):
        """Five parts; and one that would cost minutes of PBES2 if anybody looked into it."""
        refused(lambda token, key: ".".join((base64url(b'{"alg":"dir","enc":"A256GCM"}'), "", "AAAA", "AAAA", "AAAA")))
        bomb = base64url(b'{"alg":"PBES2-HS512+A256KW","p2c":2147483647,"p2s":"AAAA","enc":"A256GCM"}')
        begin = time.perf_counter()
        refused(lambda token, key: f"{bomb}.AAAA.AAAA.AAAA.AAAA")
        assert time.perf_counter() - begin < 2

    @pytest.mark.parametrize(
        "typ", ["JWT", "at", "rt", "id_token+jwt", "dpop+jwt", "logout+jwt", "secevent+jwt", 1, []]
    )
    def test_a_type_that_is_not_the_cookies(self, refused, typ):
        refused(lambda token, key: altered(token, key, header={"typ": typ}))

    def test_a_doubled_member(self, refused):
        """Parsers disagree about which of the two counts."""
        for more in (b',"alg":"none"}', b',"kid":"x"}', b',"typ":"JWT"}', b',"\\u0061lg":"none"}'):
            refused(lambda token, key, more=more: with_header(token, part(token, 0)[:-1] + more, key))


WELL_KNOWN = [
    *("secret", "password", "changeme", "key", "jwt", "token", "test", "admin", "default", "123456", "qwerty"),
    *("your-256-bit-secret", "your-secret-key", "my_secret_key", "secretkey", "secret123", "supersecret", "s3cr3t"),
    *("shhhhh", "keyboard cat", "hmackey", "HS256", "", "\0", "\n", "null", "undefined", "django-insecure-secret"),
    "GQDstcKsx0NHjPOuXOYg5MbeJ1XT0uFiwDVvVBrk",  # from well-known examples, the next from RFC 7515 itself
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
]


@pytest.mark.once
class TestSecrets:
    @pytest.mark.parametrize("secret", WELL_KNOWN, ids=lambda secret: ascii(secret)[:20])
    def test_no_well_known_secret_signs(self, refused, secret):
        refused(lambda token, key: altered(token, Key(key.kid, "HS256", secret.encode())))

    def test_nor_does_anything_that_is_public(self, refused, real):
        for public in (real.key.kid, settings.TOKENS_ISSUER, "sojourn", "sojourn tokens: HS256 signing key, version 1"):
            refused(lambda token, key, public=public: altered(token, Key(key.kid, "HS256", public.encode())))

    def test_nor_does_secret_key_itself_which_signs_other_things(self, refused):
        refused(lambda token, key: altered(token, Key(key.kid, "HS256", settings.SECRET_KEY.encode())))


class TestOtherTokensOfOurs:
    """Each thing that this site signs or draws, in the place of each other."""

    def test_the_two_tokens_are_not_interchangeable(self, opens, real):
        assert not opens(f"{ACCESS}={real.refresh}")
        assert not opens(f"{REFRESH}={real.access}")
        assert not opens(f"{ACCESS}={real.refresh}; {REFRESH}={real.access}")

    def test_not_even_with_the_other_ones_header_and_audience(self, opens, real):
        for name, other, typ in ((ACCESS, real.refresh, "at+jwt"), (REFRESH, real.access, "rt+jwt")):
            token = altered(other, real.key, header={"typ": typ}, payload={"aud": settings.TOKENS_ISSUER})
            assert not opens(f"{name}={token}")

    @pytest.mark.parametrize("name", [ACCESS, REFRESH, PROBE])
    def test_nothing_else_opens(self, opens, real, bob, wsgi, name):
        form = wsgi.get("/accounts/login/")
        for other in (
            default_token_generator.make_token(bob),
            form.cookies["__Host-csrftoken"],
            form.form_token,
            signing.dumps([str(uuid4()), str(uuid4())], salt="tokens.probe"),
            signing.dumps({"_auth_user_id": str(bob.pk)}, salt="django.contrib.sessions.backends.signed_cookies"),
            str(RefreshToken.objects.get().pk),
            str(RefreshToken.objects.get().jti),
        ):
            assert not opens(f"{name}={other}")

    def test_a_django_session_that_says_who_is_signed_in_opens_nothing(self, opens, bob):
        """Well signed, as Django's own log-in would have left it."""
        session = {
            "_auth_user_id": str(bob.pk),
            "_auth_user_backend": settings.AUTHENTICATION_BACKENDS[0],
            "_auth_user_hash": bob.get_session_auth_hash(),
        }
        value = signing.dumps(session, salt="django.contrib.sessions.backends.signed_cookies", compress=True)
        assert not opens(f"__Host-session={value}")
        assert not opens(f"sessionid={value}")

    @pytest.mark.parametrize(
        "header",
        [
            {"Authorization": "Bearer {token}"},
            {"Authorization": "JWT {token}"},
            {"Authorization": "Basic Ym9iOmJvYg=="},
            {"X_Access_Token": "{token}"},
            {"X_Auth_Token": "{token}"},
            {"X_Forwarded_User": "bob"},
            {"Remote_User": "bob"},
        ],
        ids=lambda header: next(iter(header)),
    )
    def test_no_header_but_the_cookie_opens(self, wsgi, real, header):
        given = {name: value.format(token=real.access) for name, value in header.items()}
        assert wsgi.get(SESSIONS, **given).status == 302

    @pytest.mark.parametrize("query", ["access={}", "token={}", "access_token={}", "__Host-access={}", "jwt={}"])
    def test_no_token_in_a_url_or_a_form_opens(self, wsgi, real, query):
        assert wsgi.get(f"{SESSIONS}?{query.format(real.access)}").status == 302
        name = query.partition("=")[0]
        assert wsgi.post(f"{SESSIONS}end-all/", fields={name: real.access}).status in (302, 403)
        assert RefreshToken.objects.get().is_live


EXPIRIES = [0, 1, -1, 10**30, 2**63, 1.5, 1e20, True, "9999999999", "", None, [9999999999], {"a": 1}]


@pytest.mark.once
class TestClaims:
    @pytest.mark.parametrize(
        "claims",
        [
            {"sub": "1"},
            {"is_staff": True},
            {"username": "alice"},
            {"exp": 2**40},
            {"gen": 2**40},
            {"ver": 2**40},
            {"new": True},
            {"sid": str(uuid4())},
            {"type": "access"},
            {"aud": "x"},
        ],
        ids=lambda claims: next(iter(claims)),
    )
    def test_a_claim_that_was_changed_under_the_old_signature(self, refused, claims):
        def forge(token, key):
            header, _, signature = token.split(".")
            return f"{header}.{base64url(json.dumps(json.loads(part(token, 1)) | claims).encode())}.{signature}"

        if claims != {"type": "access"}:
            refused(forge)
        refused(lambda token, key: forge(token, key)[:-4] + "AAAA")

    @pytest.mark.parametrize("exp", EXPIRIES, ids=repr)
    def test_an_expiry_at_or_past_all_edges(self, refused, exp):
        refused(lambda token, key: altered(token, key, payload={"exp": exp}))

    @pytest.mark.parametrize("iat", [2**40, 2**52, *EXPIRIES[2:]], ids=repr)
    def test_a_beginning_at_or_past_all_edges(self, refused, iat):
        refused(lambda token, key: altered(token, key, payload={"iat": iat}))

    @pytest.mark.parametrize("name", ["exp", "iat", "iss", "aud", "sub", "sid", "jti", "gen", "type"])
    def test_a_claim_that_is_missing(self, refused, name):
        refused(lambda token, key: altered(token, key, payload={name: GONE}))

    def test_an_expiry_that_parses_as_infinity(self, refused):
        for number in (b"1e999", b"Infinity", b"NaN"):
            refused(
                lambda token, key, number=number: with_payload(
                    token, part(token, 1).replace(b'"exp":', b'"exp":%b,"x":' % number), key
                )
            )

    def test_a_long_life_does_not_outlive_todays_lifetime(self, refused):
        """A token of last year, signed by the real key, whose `exp` is in a hundred years."""
        old = {"iat": int(time.time()) - 365 * 86400, "exp": int(time.time()) + 100 * 365 * 86400}
        refused(lambda token, key: altered(token, key, payload=old))

    @pytest.mark.parametrize("name", ["sub", "is_staff", "exp", "type", "iss"])
    def test_a_doubled_claim(self, refused, name):
        more = json.dumps({name: True}).encode()[1:]
        refused(lambda token, key: with_payload(token, part(token, 1)[:-1] + b"," + more, key))

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32", "utf-8-sig", "cp037"])
    def test_another_encoding(self, refused, encoding):
        refused(lambda token, key: with_payload(token, part(token, 1).decode().encode(encoding), key))

    @pytest.mark.parametrize("aud", [[], ["http://testserver"], "*", "", None, {}, True, "HTTP://TESTSERVER"], ids=repr)
    def test_an_audience_that_is_not_exactly_ours(self, refused, aud):
        refused(lambda token, key: altered(token, key, payload={"aud": aud}))

    @pytest.mark.parametrize(
        "iss", ["", None, "http://testserver/", "https://testserver", "http://testserver.evil", []]
    )
    def test_an_issuer_that_is_not_exactly_ours(self, refused, iss):
        refused(lambda token, key: altered(token, key, payload={"iss": iss}))

    @pytest.mark.parametrize("form", ["{} ", " {}", "+{}", "0{}", "{}.0", "{}e0", "bob", "bob@example.org", "0x{}"])
    def test_a_subject_in_another_form(self, refused, bob, form):
        refused(lambda token, key: altered(token, key, payload={"sub": form.format(bob.pk)}))

    def test_the_sign_in_of_somebody_else(self, opens, real, alice, wsgi):
        """Signed by the real key: subject and sign-in have to belong together, as soon as the row is read."""
        assert not opens(f"{REFRESH}={altered(real.refresh, real.key, payload={'sub': str(alice.pk)})}")
        access = altered(real.access, real.key, payload={"sub": str(alice.pk)})
        assert wsgi.get(SESSIONS, f"{ACCESS}={access}".encode()).status == 302


@pytest.mark.once
@pytest.mark.parametrize("alg", ["ES256", "RS256", "EdDSA"])
class TestPublicKeys:
    """The site signs by a key whose public half anybody can fetch."""

    @pytest.fixture
    def key(self, settings, alg, tmp_path):
        path = tmp_path / "keys.json"
        path.write_text(json.dumps({"keys": [keys.generate_jwk(alg)]}))
        settings.TOKENS_KEYS = str(path)
        return keys.parse_jwks(json.loads(path.read_text())).current

    @pytest.fixture
    def token(self, key, real):
        assert json.loads(part(real.refresh, 0))["alg"] == key.alg
        return real.refresh

    def test_the_real_one_opens(self, opens, token):
        assert opens(f"{REFRESH}={token}")

    def test_the_published_key_as_the_secret_of_an_hmac(self, opens, token, key, wsgi):
        encodings, formats = serialization.Encoding, serialization.PublicFormat
        published = json.loads(wsgi.get("/.well-known/jwks.json").body)["keys"]
        assert [member["kid"] for member in published] == [key.kid]
        for secret in (
            key.public.public_bytes(encodings.PEM, formats.SubjectPublicKeyInfo),
            key.public.public_bytes(encodings.PEM, formats.SubjectPublicKeyInfo).strip(),
            key.public.public_bytes(encodings.DER, formats.SubjectPublicKeyInfo),
            json.dumps(published[0]).encode(),
            json.dumps(published[0], separators=(",", ":")).encode(),
        ):
            hmac_key = Key(key.kid, "HS256", secret)
            for header in ({"alg": "HS256"}, {}):
                assert not opens(f"{REFRESH}={altered(token, hmac_key, header=header)}")

    def test_a_psychic_signature(self, opens, token):
        """r = s = 0, r = s = n, and nothing (CVE-2022-21449)."""
        order = bytes.fromhex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")
        text = token.rpartition(".")[0]
        for signature in (bytes(64), order * 2, bytes(63) + b"\1", bytes(256), b"\x30\x06\x02\x01\0\x02\x01\0", b"\0"):
            assert not opens(f"{REFRESH}={text}.{base64url(signature)}")

    def test_another_key_of_the_same_kind(self, opens, token, alg):
        assert not opens(f"{REFRESH}={by_foreign_key(token, alg, headers={})}")

    def test_another_algorithm_in_the_header(self, opens, token):
        _, payload, signature = token.split(".")
        for other in ("none", "HS256", "RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519", "ES256K"):
            members = json.loads(part(token, 0))
            if other != members["alg"]:
                changed = base64url(json.dumps(members | {"alg": other}).encode())
                assert not opens(f"{REFRESH}={changed}.{payload}.{signature}")

    def test_no_private_half_is_published(self, key, wsgi):
        published = json.loads(wsgi.get("/.well-known/jwks.json").body)["keys"]
        assert not {"d", "p", "q", "dp", "dq", "qi", "oth", "k"} & {name for member in published for name in member}
