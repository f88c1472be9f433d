"""Access tokens that no neighbour may take, each made from a good one, most of them with the site's own key."""

import json
from time import time
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import get_default_algorithms

from tests.tokens.forge import GONE, base64url, part
from tokens.core import keys
from tokens.core.keys import Key


class Real:
    """A good pair of tokens and the private key that signs them."""

    def __init__(self, pair: dict[str, str], entry: keys.Jwk) -> None:
        self.access, self.refresh = pair["access"], pair["refresh"]
        self.key = key_of(entry)
        self.header, self.claims = (json.loads(part(self.access, place)) for place in (0, 1))

    def signed(self, header: dict[str, Any] | None = None, *, key: Key | None = None, **claims: Any) -> str:
        """The access token with other members (GONE takes one out), signed with the site's key or another."""
        key = key or self.key
        text = f"{segment(self.header | (header or {}))}.{segment(self.claims | claims)}"
        return f"{text}.{base64url(get_default_algorithms()[key.alg].sign(text.encode(), key.secret))}"

    def status(self, **members: Any) -> str:
        return self.signed(status={"status_list": self.claims["status"]["status_list"] | members})


def key_of(entry: keys.Jwk) -> Key:
    return keys.parse_jwks({"keys": [entry | {"state": keys.CURRENT}]}).current


def segment(members: dict[str, Any]) -> str:
    return base64url(json.dumps({name: value for name, value in members.items() if value is not GONE}).encode())


def all_of(real: Real, elsewhere: str) -> dict[str, str]:
    """The forgeries by name; those that name an address name one of the site `elsewhere`."""
    return {
        **{
            f"without {name}": real.signed(**{name: GONE}) for name in ("iss", "aud", "sub", "sid", "exp", "iat", "jti")
        },
        "of another issuer": real.signed(iss=elsewhere),
        "for another audience": real.signed(aud=elsewhere),
        "for other audiences": real.signed(aud=[elsewhere, real.claims["aud"] + "/"]),
        "expired": real.signed(exp=int(time())),
        "of tomorrow": real.signed(nbf=int(time()) + 3600),
        **_of_other_kinds(real),
        **_of_other_keys(real, elsewhere),
        **_of_other_places(real, elsewhere),
        **_garbage(real),
    }


def _of_other_kinds(real: Real) -> dict[str, str]:
    return {
        "a refresh token": real.refresh,
        "without typ": real.signed({"typ": GONE}),
        "of no special type": real.signed({"typ": "JWT"}),
        "a status list": real.signed({"typ": "statuslist+jwt"}),
        "with crit": real.signed({"crit": ["x"], "x": 1}),
        "with a payload that is said not to be base64": real.signed({"crit": ["b64"], "b64": False}),
    }


def _of_other_keys(real: Real, elsewhere: str) -> dict[str, str]:
    other = key_of(keys.generate_jwk(real.key.alg))
    pem = real.key.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    shown = json.dumps(real.key.jwk).encode()
    nothing = {name: f"{segment(real.header | {'alg': name})}.{segment(real.claims)}." for name in ("none", "NONE")}
    return {
        **{f"alg {name}": unsigned for name, unsigned in nothing.items()},
        "alg none with the real signature": nothing["none"] + real.access.rpartition(".")[2],
        "HS256 keyed with the public PEM": real.signed({"alg": "HS256"}, key=Key("", "HS256", pem)),
        "HS256 keyed with the public JWK": real.signed({"alg": "HS256"}, key=Key("", "HS256", shown)),
        "HS256 keyed with nothing": real.signed({"alg": "HS256"}, key=Key("", "HS256", b"")),
        "of another key under our kid": real.signed(key=other),
        "of a key nobody knows": real.signed({"kid": other.kid}, key=other),
        "without kid": real.signed({"kid": GONE}),
        "with a kid that is a list": real.signed({"kid": [real.key.kid]}),
        "of a key that it brings along": real.signed({"jwk": other.jwk}, key=other),
        "of a key that it brings along, without kid": real.signed({"jwk": other.jwk, "kid": GONE}, key=other),
        "of keys that are elsewhere": real.signed({"jku": f"{elsewhere}/jku", "kid": other.kid}, key=other),
        "of a certificate that is elsewhere": real.signed({"x5u": f"{elsewhere}/x5u", "kid": other.kid}, key=other),
        "of an algorithm that is not the key's": real.signed({"alg": "RS256"}),
    }


def _of_other_places(real: Real, elsewhere: str) -> dict[str, str]:
    return {
        "of a status list elsewhere": real.status(uri=f"{elsewhere}/status"),
        "of a status list below ours": real.status(uri=real.claims["status"]["status_list"]["uri"] + "/../x"),
        **{f"at the place {idx!r}": real.status(idx=idx) for idx in (2**20, 2**62, -1, 0.5, True, "0", None, [0])},
        **{f"with the status {status!r}": real.signed(status=status) for status in ("", None, 0, [], {})},
        "with a status list that is text": real.signed(status={"status_list": "x"}),
    }


def _garbage(real: Real) -> dict[str, str]:
    head, _, signature = real.access.split(".")
    return {
        "an altered claim": f"{head}.{segment(real.claims | {'is_staff': True})}.{signature}",
        "a cut signature": real.access[:-4],
        "no signature": f"{real.access.rpartition('.')[0]}.",
        "no token": "a.b.c",
        "a word": "garbage",
        "four parts": f"{real.access}.x",
        "brackets without end": f"{base64url(b'[' * 9000)}.e30.AAAA",
        "a number without end": f"{base64url(b'9' * 9000)}.e30.AAAA",
        "a header that is a list": f"{base64url(b'[]')}.e30.AAAA",
    }
