"""The one list of forged tokens, and the tools that make them from a real token and the key that signed it."""

import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any
from uuid import uuid4
from zlib import compress

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tokens.core import keys
from tokens.core.keys import Key, derive

GONE = object()  # Marks a member that is left out.


@dataclass(frozen=True)
class Real:
    """The tokens of somebody who is signed in, and the key that signed them."""

    access: str
    refresh: str
    key: Key

    def by(self, cookie: str) -> str:
        """Return the token that stands in this cookie."""
        return self.refresh if cookie.endswith("refresh") else self.access

    @property
    def claims(self) -> dict[str, Any]:
        """Return what the access token says."""
        return members(self.access, 1)

    def signed(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """Return the access token with other members, signed again."""
        return altered(self.access, self.key, header=header, payload=claims)


def base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def part(token: str, place: int) -> bytes:
    """Return the octets of the header (0), the payload (1) or the signature (2) of `token`."""
    segment = token.split(".")[place]
    return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def members(token: str, place: int) -> dict[str, Any]:
    """Return the header (0) or the claims (1) of `token`."""
    return json.loads(part(token, place))


def signed(header: str, payload: str, key: Key) -> str:
    """Return a token of these two segments, taken as they are and signed by `key`."""
    text = f"{header}.{payload}".encode()
    if key.alg == "HS256":  # By hand: PyJWT warns of short secrets, and refuses a public key as one.
        signature = hmac.digest(key.secret, text, hashlib.sha256)
    else:
        signature = keys.ALGORITHMS[key.alg].sign(text, key.secret)
    return f"{text.decode()}.{base64url(signature)}"


def raw(header: bytes, payload: bytes, key: Key) -> str:
    """Return a well-signed token of arbitrary octets."""
    return signed(base64url(header), base64url(payload), key)


def altered(
    token: str, key: Key, *, header: dict[str, Any] | None = None, payload: dict[str, Any] | None = None
) -> str:
    """Return `token` with other members (GONE takes one out), signed again."""
    return raw(_merged(token, 0, header), _merged(token, 1, payload), key)


def with_header(token: str, octets: bytes, key: Key) -> str:
    """Return `token` with a header of these octets, signed again."""
    return raw(octets, part(token, 1), key)


def with_payload(token: str, octets: bytes, key: Key) -> str:
    """Return `token` with a payload of these octets, signed again."""
    return raw(part(token, 0), octets, key)


def relabelled(token: str, **header: Any) -> str:
    """Return the first two segments of `token` with other members in its header: what is left to sign."""
    return f"{base64url(_merged(token, 0, header))}.{token.split('.')[1]}"


def _merged(token: str, place: int, changes: dict[str, Any] | None) -> bytes:
    merged = members(token, place) | (changes or {})
    kept = {name: value for name, value in merged.items() if value is not GONE}
    return json.dumps(kept, separators=(",", ":")).encode()


def forged(token: str, key: Key, elsewhere: str = "https://evil.example") -> dict[str, str]:
    """Return what nobody may accept in place of `token`, which `key` has signed, by name.

    `token` is an access or a refresh token; `key` is of any algorithm. Where a forgery names a site, it is `elsewhere`.
    """
    return {
        **_without_a_good_signature(token, key),
        **_signed_by_another_key(token, key, elsewhere),
        **_of_another_kind(token, key),
        **_with_other_claims(token, key, elsewhere),
        **_of_another_shape(token, key),
    }


def _without_a_good_signature(token: str, key: Key) -> dict[str, str]:
    text, _, signature = token.rpartition(".")
    header = token.split(".")[0]
    others = ("HS256", "HS384", "HS512", "RS256", "PS256", "ES256", "ES384", "EdDSA")
    # r = s = 0, r = s = n, and 0 in DER: each was once a good signature of anything (CVE-2022-21449).
    order = bytes.fromhex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")
    psychic = {"zeros": bytes(64), "the order": order * 2, "zeros in DER": b"\x30\x06\x02\x01\0\x02\x01\0"}
    return {
        "without its signature": f"{text}.",
        "without its signature and the dot": text,
        "with half of its signature": token[: -len(signature) // 2],
        "with a longer signature": f"{token}AAAA",
        "with the signature of something else": f"{text}.{signed(header, 'e30', key).rpartition('.')[2]}",
        **{f"with a signature of {name}": f"{text}.{base64url(octets)}" for name, octets in psychic.items()},
        **{f"alg {name}": f"{relabelled(token, alg=name)}." for name in ("none", "None", "nOnE", "")},
        **{f"alg {name!r}, signed": f"{relabelled(token, alg=name)}.{signature}" for name in ("none", None, ["none"])},
        **{
            f"alg {name} over the same signature": f"{relabelled(token, alg=name)}.{signature}"
            for name in others
            if name != key.alg
        },
        **{
            f"with another {name} under the old signature": f"{header}.{_claims(token, **{name: value})}.{signature}"
            for name, value in {"sub": str(uuid4()), "is_staff": True, "exp": 2**40, "sid": str(uuid4())}.items()
        },
    }


def _claims(token: str, **changes: Any) -> str:
    return base64url(_merged(token, 1, changes))


def _signed_by_another_key(token: str, key: Key, elsewhere: str) -> dict[str, str]:
    other = keys.parse_jwks({"keys": [keys.generate_jwk(key.alg)]}).current
    secrets = {"nothing": b"", "the word secret": b"secret", "its own name": key.kid.encode()}
    if key.public is not None:
        secrets["the public PEM"] = key.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        secrets["the public DER"] = key.public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        secrets["the public JWK"] = json.dumps(key.jwk).encode()
    brought = other.jwk or {"kty": "oct", "k": base64url(other.secret), "kid": other.kid, "alg": other.alg}
    headers = {
        "jwk": brought,
        "jwks": {"keys": [brought]},
        "x5c": [base64url(other.secret if key.alg == "HS256" else b"a certificate")],
        "jku": f"{elsewhere}/jku",
        "x5u": f"{elsewhere}/x5u",
    }
    kids = ("", "2024-01", "../../../../dev/null", "' UNION SELECT 'secret' --", f"{elsewhere}/kid", 0, None, [key.kid])
    return {
        "signed by another key under the name of ours": altered(token, other, header={"kid": key.kid}),
        "signed by a key nobody knows": altered(token, other, header={"kid": other.kid}),
        "signed by another site's secret": altered(
            token, derive("another site's secret key " * 3), header={"alg": "HS256"}
        ),
        **{
            f"HS256 keyed with {name}": altered(token, Key(key.kid, "HS256", secret), header={"alg": "HS256"})
            for name, secret in secrets.items()
        },
        **{
            f"signed by a key that its {name} brings along": altered(
                token, other, header={name: value, "kid": other.kid}
            )
            for name, value in headers.items()
        },
        "signed by a key that it brings along, without kid": altered(
            token, other, header={"jwk": brought, "kid": GONE}
        ),
        "without kid": altered(token, key, header={"kid": GONE}),
        **{f"of the key {kid!r}": altered(token, key, header={"kid": kid}) for kid in kids},
        "of another algorithm than the key's": altered(token, key, header={"alg": "RS512"}),
        "without alg": altered(token, key, header={"alg": GONE}),
    }


def _of_another_kind(token: str, key: Key) -> dict[str, str]:
    unencoded = base64url(_merged(token, 0, {"b64": False, "crit": ["b64"]}))
    bomb = base64url(b'{"alg":"PBES2-HS512+A256KW","p2c":2147483647,"p2s":"AAAA","enc":"A256GCM"}')
    encrypted = base64url(b'{"alg":"dir","enc":"A256GCM"}')
    return {
        "without typ": altered(token, key, header={"typ": GONE}),
        **{
            f"of the type {typ!r}": altered(token, key, header={"typ": typ})
            for typ in ("JWT", "id_token+jwt", "dpop+jwt", "statuslist+jwt")
        },
        "with a critical member": altered(token, key, header={"crit": ["x"], "x": 1}),
        "with a payload that is said not to be encoded": signed(unencoded, token.split(".")[1], key),
        "with a compressed payload": with_payload(token, compress(part(token, 1)), key),
        "nested in another": with_payload(token, token.encode(), key),
        "encrypted": f"{encrypted}..AAAA.AAAA.AAAA",
        "encrypted, and minutes of work to read": f"{bomb}.AAAA.AAAA.AAAA.AAAA",
    }


def _with_other_claims(token: str, key: Key, elsewhere: str) -> dict[str, str]:
    claims = members(token, 1)
    now = int(time.time())
    changes = {
        **{f"without {name}": {name: GONE} for name in ("iss", "aud", "sub", "sid", "exp", "iat", "jti")},
        "of another issuer": {"iss": elsewhere},
        "for another audience": {"aud": elsewhere},
        "for other audiences": {"aud": [elsewhere, f"{claims['aud']}/"]},
        "expired": {"iat": now - 60, "exp": now - 1},
        "of tomorrow": {"nbf": now + 3600},
    }
    return {name: altered(token, key, payload=change) for name, change in changes.items()}


def _of_another_shape(token: str, key: Key) -> dict[str, str]:
    return {
        "a word": "garbage",
        "three letters": "a.b.c",
        "of four parts": f"{token}.x",
        "twice": token + token,
        "cut in the middle": token[: len(token) // 2],
        "in lower case": token.lower(),
        "with padding": "=.".join(token.split(".")) + "=",
        "encoded once more": base64url(token.encode()),
        "as JSON": json.dumps(dict(zip(("protected", "payload", "signature"), token.split("."), strict=True))),
        "with a header that is a list": f"{base64url(b'[]')}.e30.AAAA",
        "with a header of brackets without end": f"{base64url(b'[' * 9000)}.e30.AAAA",
        "with a header of digits without end": f"{base64url(b'9' * 9000)}.e30.AAAA",
        "with a payload that is a list": with_payload(token, b"[]", key),
        "with a payload of brackets without end": with_payload(token, b"[" * 1000, key),
        "with an empty payload": signed(token.split(".")[0], "", key),
    }


def irregular(token: str, key: Key) -> dict[str, str]:
    """Return what our own key has signed, and what we refuse because it is not in the one form that we write."""
    text = part(token, 1)
    claims = members(token, 1)
    sub = claims["sub"]
    numbers = (0, -1, 1.5, 2**63, 10**30, True, "9999999999", "", None, [9999999999])
    changes: list[dict[str, Any]] = [
        *({name: GONE} for name in ("gen", "type")),
        *({name: number} for name in ("exp", "iat", "gen") for number in numbers if (name, number) != ("gen", 0)),
        *({"aud": aud} for aud in ([claims["aud"]], [], "", "*", claims["aud"].upper())),
        *({"iss": iss} for iss in (f"{claims['iss']}/", claims["iss"].upper(), "", [])),
        *({"sub": wrong} for wrong in (f" {sub}", f"{sub} ", f"0{sub}", f"{sub}.0", "bob", 1, "1 OR 1=1", "9" * 400)),
        *({"sid": wrong} for wrong in ("1", "not-a-uuid-" + "0" * 25, str(claims["sid"]).replace("-", ""))),
        {"nbf": 0},
        {"iat": int(time.time()) + 3600, "exp": int(time.time()) + 7200},
        {"iat": int(time.time()) - 365 * 86400, "exp": int(time.time()) + 100 * 365 * 86400},
    ]
    return {
        **{f"with {change}"[:80]: altered(token, key, payload=change) for change in changes},
        **{
            f"with {name} in its header": altered(token, key, header={name: value})
            for name, value in {"zip": "DEF", "cty": "JWT", "nonce": "x", "crit": [], "jku": "x", "jwk": {}}.items()
        },
        **{f"of the type {typ!r}": altered(token, key, header={"typ": typ}) for typ in (1, [])},
        **{
            f"with a doubled {member.decode()}": with_header(token, part(token, 0)[:-1] + b"," + member + b"}", key)
            for member in (b'"alg":"none"', b'"kid":"x"', b'"typ":"JWT"', b'"\\u0061lg":"none"')
        },
        **{
            f"with a doubled {name}": with_payload(token, text[:-1] + b',"%b":true}' % name.encode(), key)
            for name in ("sub", "is_staff", "exp", "type")
        },
        **{
            f"with an expiry of {number.decode()}": with_payload(
                token, text.replace(b'"exp":', b'"exp":%b,"x":' % number), key
            )
            for number in (b"1e999", b"Infinity", b"NaN")
        },
        "with a BOM": with_payload(token, b"\xef\xbb\xbf" + text, key),
        "in UTF-16": with_payload(token, text.decode().encode("utf-16"), key),
        "in EBCDIC": with_payload(token, text.decode().encode("cp037"), key),
        "with half a character in it": with_payload(token, text[:-1] + b',"nick":"\\ud800"}', key),
    }
