"""What may stand in a Cookie header and means nobody: octet by octet, each case by its name.

A case is made from a `Real`, because the worst garbage is almost a token. What `tests/tokens` tries on the reader
of one cookie is tried here on the whole site, beside what only a site can get: other people's cookies, other
names, whole headers.
"""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import UUID, uuid4
from zlib import compress

import jwt
from django.core import signing

from tests.tokens.forge import GONE, altered, base64url, part, raw, signed, with_header, with_payload
from tokens.core.keys import Key, derive

ACCESS, REFRESH, PROBE = "__Host-access", "__Host-refresh", "__Host-probe"
OURS = (ACCESS, REFRESH, PROBE)


@dataclass(frozen=True)
class Real:
    """The tokens of somebody who is signed in, and the key that signs them."""

    access: str
    refresh: str
    key: Key

    def by(self, name: str) -> str:
        return self.refresh if name == REFRESH else self.access


@dataclass(frozen=True)
class Case:
    name: str
    build: Callable[[Real], str | bytes]

    def header(self, real: Real) -> bytes:
        """The value of the Cookie header."""
        built = self.build(real)
        return built if isinstance(built, bytes) else built.encode()


# One value, in each of the two cookies; those of OF_PROBES in the probe as well.

VALUES: dict[str, str | bytes] = {
    "nothing": "",
    "a letter": "x",
    "a dot": ".",
    "two dots": "..",
    "three letters and two dots": "a.b.c",
    "four parts": "a.b.c.d",
    "five parts, as a JWE has": "e30.e30.e30.e30.e30",
    "empty objects": "e30.e30.e30",
    "null three times": "bnVsbA.bnVsbA.bnVsbA",
    "alg none": "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
    "base64 with padding": "e30=.e30=.e30=",
    "plain base64, which is not for URLs": "+/+/.+/+/.+/+/",
    "JSON instead of base64": '{"alg":"HS256"}.{"sub":"1"}.x',
    "a quoted value": '"a.b.c"',
    "a quote that never ends": '"a.b.c',
    "an octal escape": '"\\141.\\142.\\143"',
    "percent encoding": "%61%2Eb%2Ec",
    "percent encoding twice": "%2561.b.c",
    "a NUL in percent encoding": "a.b.c%00",
    "a Bearer prefix": "Bearer a.b.c",
    "a word of Python": "None",
    "a word of JavaScript": "undefined",
    "an array": "[1,2]",
    "zero": "0",
    "minus one": "-1",
    "a number that is none": "NaN",
    "SQL": "' OR '1'='1' --",
    "SQL that would wait": "1;SELECT pg_sleep(10)--",
    "a script": "<script>alert(1)</script>",
    "a template": "{{7*7}}${7*7}{%debug%}",
    "a format": "%s%n%x%(password)s{0.__class__}",
    "a path": "../../../../etc/passwd",
    "a command": "$(touch${IFS}hostile)`id`",
    "a pickle": b64encode(b"cos\nsystem\n(S'id'\ntR.").decode(),
    "a log line's escape": "\x1b[31mred\x1b[0m",
    "a tab": "a\tb",
    "a bell": "a\x07b",
    "a DEL": "a\x7fb",
    "all control characters that a header may hold": "".join(map(chr, [*range(1, 10), *range(14, 32)])),
    "a letter with an accent": "Zoë.é.ü",
    "Cyrillic letters that look Latin": "\u0435\u0443J.\u0430.\u0441",
    "full-width digits": "\uff11\uff12\uff13.\uff14.\uff15",
    "an emoji": "🔑.🔑.🔑",
    "a right-to-left mark": "\u202ea.b.c\u202c",
    "a no-break space": "\u00a0a.b.c",
    "an em quad": "\u2000a.b.c",
    "a zero-width space": "a\u200b.b.c",
    "a BOM": "\ufeffa.b.c",
    "a line separator": "a\u2028.b.c",
    "combining characters without end": "a" + "\u0301" * 500,
    "Latin-1 octets": b"\xe9\xfc.\xdf.\xa0",
    "octets that are no UTF-8": b"\xff\xfe\xfd.\x80.\x81",
    "half a surrogate pair": b"\xed\xa0\x80.a.b",
    "overlong UTF-8": b"\xc0\xae\xc0\xae.a.b",
    "UTF-16 without its NULs": b"\xff\xfea.b.c",
    "every octet from 128 on": bytes(range(128, 256)),
    "2,048 letters": "a" * 2048,
    "2,049 letters": "a" * 2049,
    "4 KB": "a." * 2048,
    "8 KB": "a.b.c" + "d" * 8000,
    "64 KB": "a.b." + "c" * 65536,
    "64 KB of dots": "." * 65536,
    "64 KB of brackets": base64url(b"[" * 24000) + ".e30.AAAA",
    "64 KB of non-ASCII": "ë" * 32768,
    "commas": "a,b,c",
    "spaces": "   ",
    "an equals sign": "=",
    "many equals signs": "a=b=c==",
    "a cookie in the cookie": f"{ACCESS}=a.b.c",
    "an address": "https://evil.example/",
    "a UUID": "0c5d9f3e-6a1b-4c2d-8e7f-a9b8c7d6e5f4",
    "a hexadecimal key of Django's sessions": "x2lk9v0c5d9f3e6a1b4c2d8e7fa9b8c7",
    "a signed value of nobody's": "WyJhIiwiYiJd:1tGQ0a:c2lnbmF0dXJl",
    "a signed value that claims to be compressed": ".eJwDAAAAAAE:1tGQ0a:c2lnbmF0dXJl",
    "colons": ":::::",
    "a bomb of zeros": "." + urlsafe_b64encode(compress(b"0" * 1_000_000)).decode().rstrip("=") + ":a:b",
}

OF_PROBES = {
    *(
        "nothing",
        "a letter",
        "a quoted value",
        "percent encoding",
        "a NUL in percent encoding",
        "JSON instead of base64",
    ),
    *("an emoji", "Latin-1 octets", "octets that are no UTF-8", "every octet from 128 on", "8 KB", "64 KB"),
    *("JSON instead of base64", "64 KB of non-ASCII", "a pickle", "colons", "a signed value of nobody's"),
    *("a signed value that claims to be compressed", "a bomb of zeros"),
}

# A whole header. `{a}` and `{r}` stand for the real tokens.

HEADERS: dict[str, str | bytes] = {
    "only a semicolon": ";",
    "only semicolons": ";" * 1000,
    "only spaces": " ; ; ",
    "only an equals sign": "=",
    "only equals signs": "====; ==; =",
    "a name without a value": ACCESS,
    "names without values": f"{ACCESS}; {REFRESH}; {PROBE}",
    "a value without a name": "={a}",
    "our names as values": f"={ACCESS}; ={REFRESH}",
    "a nameless cookie that spells ours": f"={ACCESS}={{a}}; ={REFRESH}={{r}}",
    "the names without the prefix": "access={a}; refresh={r}",
    "the prefix in lower case": "__host-access={a}; __host-refresh={r}",
    "the prefix in upper case": "__HOST-access={a}; __HOST-refresh={r}",
    "the names in upper case": "__Host-ACCESS={a}; __Host-REFRESH={r}",
    "the other prefix": "__Secure-access={a}; __Secure-refresh={r}",
    "prefixes that do not exist yet": "__Http-access={a}; __Host-Http-refresh={r}",
    "one underscore": "_Host-access={a}; _Host-refresh={r}",
    "another dash": "__Host\u2010access={a}; __Host\u2011refresh={r}",
    "percent encoding in the names": "__Host%2Daccess={a}; %5F_Host-refresh={r}",
    "quotes around the names": '"__Host-access"={a}; "__Host-refresh"={r}',
    "quotes around the values": '__Host-access="{a}"; __Host-refresh="{r}"',
    "quotes around everything": '"__Host-access={a}; __Host-refresh={r}"',
    "spaces before the equals signs": "__Host-access ={a}; __Host-refresh ={r}",
    "spaces behind the equals signs": "__Host-access= {a}; __Host-refresh= {r}",
    "spaces behind the values": "__Host-access={a} ; __Host-refresh={r} ; x=1",
    "tabs before the names": "x=1; \t__Host-access={a}; \t__Host-refresh={r}",
    "commas instead of semicolons": "x=1, __Host-access={a}, __Host-refresh={r}",
    "ampersands instead of semicolons": "x=1&__Host-access={a}&__Host-refresh={r}",
    "the syntax of RFC 2965": '$Version=1; x="a"; $Path="/", __Host-access={a}',
    "attributes as in Set-Cookie": "x={a}; Path=/; Secure; HttpOnly; SameSite=Lax",
    "the header's own name once more": "Cookie: __Host-access={a}",
    "both twice, the same": "__Host-access={a}; __Host-refresh={r}; __Host-access={a}; __Host-refresh={r}",
    "both twice, the second empty": "__Host-access={a}; __Host-refresh={r}; __Host-access=; __Host-refresh=",
    "both twice, the first empty": "__Host-access=; __Host-refresh=; __Host-access={a}; __Host-refresh={r}",
    "both twice, the second without a value": "__Host-access={a}; __Host-refresh={r}; __Host-access; __Host-refresh",
    "both twice, far apart": "__Host-access={a}; __Host-refresh={r}; "
    + "; ".join(f"c{number}={number}" for number in range(200))
    + "; __Host-access=x; __Host-refresh=x",
    "both three times": "; ".join(["__Host-access={a}; __Host-refresh={r}"] * 3),
    "a double hidden in quotes": 'x="; __Host-access={a}; "; __Host-access={a}; y="; __Host-refresh={r}; "; '
    "__Host-refresh={r}",
    "swapped": "__Host-access={r}; __Host-refresh={a}",
    "both in one": "__Host-access={a}{r}; __Host-refresh={r}{a}",
    "both in one, with a comma": "__Host-access={a},{r}; __Host-refresh={r},{a}",
    "in pieces": "__Host-access.0={a}; __Host-access.1=; __Host-refresh.0={r}",
    "under names of other systems": "access_token={a}; refresh_token={r}; jwt={a}; token={a}; Authorization=Bearer {a}",
    "under the name of Django's session": "sessionid={a}; __Host-session={r}",
    "under the name of Django's CSRF token": "csrftoken={a}; __Host-csrftoken={r}",
    "under the names of messages and language": "__Host-messages={a}; __Host-language={r}",
    "as a probe": "__Host-probe={r}",
    "a session that nobody signed": "__Host-session=.eJwDAAAAAAE:1tGQ0a:x",
    "a session that is a pickle": "__Host-session=gASVCgAAAAAAAAB9lC4:1tGQ0a:x",
    "messages that nobody signed": '__Host-messages="[[\\"__json_message\\"\\0540\\05420\\054\\"hello\\"]]:1tGQ0a:x"',
    "messages that are no JSON": "__Host-messages=[[[[:1tGQ0a:x",
    "messages of 64 KB": "__Host-messages=" + "[" * 65000,
    "a CSRF token of the wrong length": "__Host-csrftoken=abc",
    "a CSRF token of other characters": "__Host-csrftoken=" + "é" * 32,
    "a language that does not exist": "__Host-language=../../etc",
    "what analytics leave": "_ga=GA1.2.1234567890.1700000000; _gid=GA1.2.1.1; _fbp=fb.1.1700000000000.1234567890",
    "what a PHP neighbour leaves": 'PHPSESSID=0123456789abcdef; wp-settings-1=editor%3Dhtml; cart=a:1:{i:0;s:1:"x";}',
    "what a Java neighbour leaves": 'JSESSIONID="0123 4567"; $Path="/app"',
    "JSON of a neighbour's": 'prefs={"theme":"dark","list":[1,2,3]}; consent={"a":true}',
    "another Django's": "sessionid=x2lk9v0c5d9f3e6a1b4c2d8e7fa9b8c7; csrftoken=" + "a" * 64 + '; messages="[[1]]"',
    "a neighbour's name that is not ASCII": "Zoë=1; naïve=Zoë; 名前=値",
    "a neighbour's Latin-1": b"caf\xe9=cr\xe8me",
    "a neighbour's control characters": "a\x01b=c\x02d; \x1f=\x1f",
    "a neighbour's octets that are no UTF-8": b"a=\xff\xfe; \xa0=\x80; \xc3=\x28",
    "a name that Python could trip over": "__class__=x; __proto__=x; constructor=x; =; self=x",
    "a name of 64 KB": "n" * 65536 + "=x",
    "a hundred cookies": "; ".join(f"c{number}={number}" for number in range(100)),
    "ten thousand cookies": "; ".join(f"c{number}=1" for number in range(6500)),
    "ten thousand of ours": "; ".join(["__Host-access={a}"] * 100),
    "64 KB between ours": "__Host-access={a}; x=" + "x" * 65000 + "; __Host-access={a}",
    "no spaces": "a=b;__Host-access=x;__Host-refresh=y;c=d",
    "many spaces": "a=b;     __Host-access=x;" + " " * 1000 + "__Host-refresh=y",
}

# Octets at the edges of a name. Django's own reading strips most of them off, and a neighbour may set such names.

STRAY: dict[str, str | bytes] = {
    **{f"U+{ord(space):04X}": space for space in "\u0085\u00a0\u1680\u2000\u2003\u2009\u2028\u2029\u202f\u205f\u3000"},
    **{f"U+{ord(other):04X}": other for other in "\u200b\u2060\ufeff\u180e"},
    "the octet A0": b"\xa0",
    "the octet 85": b"\x85",
    "a vertical tab": "\v",
    "a form feed": "\f",
    "a file separator": "\x1c",
    "a unit separator": "\x1f",
}

# Tokens that the real key signed, or that are almost real.

Recipe = Callable[[str, Key], str]


def tampered(**claims: object) -> Recipe:
    """Another payload under the signature of the real one."""

    def recipe(token: str, key: Key) -> str:
        header, _, signature = token.split(".")
        payload = json.loads(part(token, 1)) | claims
        return f"{header}.{base64url(json.dumps(payload).encode())}.{signature}"

    return recipe


def claiming(**claims: object) -> Recipe:
    return lambda token, key: altered(token, key, payload=claims)


def heading(**members: object) -> Recipe:
    return lambda token, key: altered(token, key, header=members)


def by_key(secret: bytes) -> Recipe:
    """The real token, signed by another secret under the real key's name."""
    return lambda token, key: altered(token, Key(key.kid, "HS256", secret))


FORGED: dict[str, Recipe] = {
    "without its signature": lambda token, key: token.rpartition(".")[0] + ".",
    "without its signature and the dot": lambda token, key: token.rpartition(".")[0],
    "with half of its signature": lambda token, key: token[:-20],
    "with a signature of zeros": lambda token, key: token.rpartition(".")[0] + "." + "A" * 43,
    "with a signature of another length": lambda token, key: token + "AAAA",
    "cut in the middle": lambda token, key: token[: len(token) // 2],
    "backwards": lambda token, key: token[::-1],
    "in lower case": lambda token, key: token.lower(),
    "with padding": lambda token, key: "=.".join(token.split(".")) + "=",
    "encoded once more": lambda token, key: base64url(token.encode()),
    "with a blank before it": lambda token, key: " " + token,
    "with a NUL in percent encoding behind it": lambda token, key: token + "%00",
    "twice": lambda token, key: token + token,
    "as JSON serialisation": lambda token, key: json.dumps(
        dict(zip(("protected", "payload", "signature"), token.split("."), strict=True))
    ),
    "nested in another": lambda token, key: signed(base64url(part(token, 0)), base64url(token.encode()), key),
    "for somebody else, with the old signature": tampered(sub="1"),
    "that makes itself staff, with the old signature": tampered(is_staff=True, is_superuser=True),
    "that lives for ever, with the old signature": tampered(exp=2**40),
    "signed by nothing": by_key(b""),
    "signed by the word secret": by_key(b"secret"),
    "signed by another site's key": lambda token, key: altered(token, derive("another site's secret key " * 3)),
    "without a payload": lambda token, key: signed(token.split(".")[0], "", key),
    "with a payload that is a list": lambda token, key: with_payload(token, b"[]", key),
    "with a payload of UTF-16": lambda token, key: with_payload(token, part(token, 1).decode().encode("utf-16"), key),
    "with a payload of UTF-32": lambda token, key: with_payload(token, part(token, 1).decode().encode("utf-32"), key),
    "with a BOM": lambda token, key: with_payload(token, b"\xef\xbb\xbf" + part(token, 1), key),
    "with a payload of brackets": lambda token, key: with_payload(token, b"[" * 1000, key),
    "with a compressed payload": lambda token, key: raw(
        json.dumps({"alg": "HS256", "kid": key.kid, "typ": "at+jwt", "zip": "DEF"}).encode(),
        compress(part(token, 1)),
        key,
    ),
    "with a doubled subject": lambda token, key: with_payload(token, part(token, 1)[:-1] + b',"sub":"1"}', key),
    "with a doubled algorithm": lambda token, key: with_header(token, part(token, 0)[:-1] + b',"alg":"none"}', key),
    **{
        f"without {name}": claiming(**{name: GONE}) for name in ("iss", "aud", "sub", "sid", "jti", "gen", "iat", "exp")
    },
    "without its type": claiming(type=GONE),
    "of another issuer": claiming(iss="https://evil.example"),
    "of another audience": claiming(aud="https://evil.example"),
    "of a list of audiences": claiming(aud=["http://testserver", "https://evil.example"]),
    "of no type": heading(typ="JWT"),
    "of a type that nobody knows": heading(typ="id+jwt"),
    "with an algorithm in lower case": heading(alg="hs256"),
    "with another algorithm of the family": heading(alg="HS512"),
    "with a key that does not exist": heading(kid="2024-01"),
    "with a key that is a path": heading(kid="../../../../dev/null"),
    "with a key of its own": heading(jwk={"kty": "oct", "k": "AAAA"}),
    "with a critical member": heading(crit=["exp"]),
    "with an expiry that is text": claiming(exp="9999999999"),
    "with an expiry that is a fraction": claiming(exp=9999999999.5),
    "with an expiry beyond all numbers": claiming(exp=10**30),
    "with an expiry of 1e999": lambda token, key: with_payload(
        token, json.dumps(json.loads(part(token, 1)) | {"exp": "E"}).replace('"E"', "1e999").encode(), key
    ),
    "made in the future": claiming(iat=2**40, exp=2**41),
    "with a subject of 400 digits": claiming(sub="9" * 400),
    "with a subject that is a number": claiming(sub=1),
    "with a subject that is SQL": claiming(sub="1 OR 1=1"),
    "with a sign-in that is no UUID": claiming(sid="1"),
    "with a sign-in that never was, guarded or not": claiming(sid="not-a-uuid-" + "0" * 25),
    "with a generation that is true": claiming(gen=True),
    "with a generation below zero": claiming(gen=-1),
    "with half a character in it": lambda token, key: with_payload(
        token, part(token, 1)[:-1] + b',"nick":"\\ud800"}', key
    ),
}

# Signed by this very site, for something else.

FOREIGN: dict[str, Callable[[Real], str]] = {
    "a value of django.core.signing": lambda real: signing.dumps({"sub": "1"}),
    "a probe's neighbour, signed with another salt": lambda real: signing.dumps([str(uuid4()), str(uuid4())]),
    "a token of PyJWT's by SECRET_KEY itself": lambda real: jwt.encode(
        json.loads(part(real.access, 1)), _secret_key(), "HS256", headers={"kid": real.key.kid, "typ": "at+jwt"}
    ),
    "the JWT that every tutorial makes": lambda real: jwt.encode({"user_id": 1, "sub": "1"}, _secret_key(), "HS256"),
    "a refresh token of a row that never was": lambda real: altered(
        real.refresh, real.key, payload={"sid": str(UUID(int=0))}
    ),
    "a refresh token of somebody who never was": lambda real: altered(
        real.refresh, real.key, payload={"sub": "999999"}
    ),
    "an access token that has expired": lambda real: altered(real.access, real.key, payload={"exp": 1}),
    "a refresh token that has expired": lambda real: altered(real.refresh, real.key, payload={"exp": 1}),
}


def _secret_key() -> str:
    from django.conf import settings

    return settings.SECRET_KEY


def cases() -> Iterator[Case]:
    """All of them. Nobody is signed in by any, and none of them is a sign-in that has merely ended."""
    for what, value in VALUES.items():
        octets = value if isinstance(value, bytes) else value.encode()
        for name in OURS if what in OF_PROBES else (ACCESS, REFRESH):
            yield Case(f"{name}: {what}", _constant(name.encode() + b"=" + octets))
    for what, header in HEADERS.items():
        yield Case(f"header: {what}", _filled(header))
    for what, stray in STRAY.items():
        octets = stray if isinstance(stray, bytes) else stray.encode()
        yield Case(f"{what} before the names", _edged(octets, b""))
        yield Case(f"{what} behind the names", _edged(b"", octets))
    for what, recipe in FORGED.items():
        for name in (ACCESS, REFRESH):
            yield Case(f"{name}: a token {what}", _forged(name, recipe))
    for what, build in FOREIGN.items():
        for name in OURS:
            yield Case(f"{name}: {what}", _foreign(name, build))


def _constant(header: bytes) -> Callable[[Real], bytes]:
    return lambda real: header


def _filled(header: str | bytes) -> Callable[[Real], str | bytes]:
    if isinstance(header, bytes):
        return _constant(header)
    return lambda real: header.replace("{a}", real.access).replace("{r}", real.refresh)


def _edged(before: bytes, behind: bytes) -> Callable[[Real], bytes]:
    def build(real: Real) -> bytes:
        pairs = ((ACCESS, real.access), (REFRESH, real.refresh))
        return b"; ".join(before + name.encode() + behind + b"=" + token.encode() for name, token in pairs)

    return build


def _forged(name: str, recipe: Recipe) -> Callable[[Real], str]:
    return lambda real: f"{name}={recipe(real.by(name), real.key)}"


def _foreign(name: str, build: Callable[[Real], str]) -> Callable[[Real], str]:
    return lambda real: f"{name}={build(real)}"


CASES = {case.name: case for case in cases()}
