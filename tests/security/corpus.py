"""What may stand in a Cookie header and means nobody, octet by octet, each case by its name.

Forged tokens are in `forging`. What is tried here is what a site gets around its tokens: garbage in their place, other
names, whole headers.
"""

from __future__ import annotations

from zlib import compress

from tests.security.forging import Real, base64url, forged

__all__ = ["ACCESS", "OURS", "PROBE", "REFRESH", "STRAY", "headers", "pair"]

ACCESS, REFRESH, PROBE = "__Host-access", "__Host-refresh", "__Host-probe"
OURS = (ACCESS, REFRESH, PROBE, f"{PROBE}-told", "__Host-reauth")

# One value, in all of our cookies.
VALUES: dict[str, str | bytes] = {
    "nothing": "",
    "two dots": "..",
    "three letters": "a.b.c",
    "empty objects": "e30.e30.e30",
    "a quote that never ends": '"a.b.c',
    "an octal escape": '"\\141.\\142.\\143"',
    "percent encoding, with a NUL": "%61%2Eb%2Ec%00",
    "SQL that would wait": "1;SELECT pg_sleep(10)--",
    "a script and a template": "<script>alert(1)</script>{{7*7}}",
    "all control characters that a header may hold": "".join(map(chr, [*range(1, 10), *range(14, 32), 127])),
    "letters that only look Latin": "\u0435\u0443J.\u0430.\u0441",
    "a no-break space": "\u00a0a.b.c",
    "octets that are no UTF-8": b"\xff\xfe\xfd.\x80.\xc0\xae",
    "every octet from 128 on": bytes(range(128, 256)),
    "2,049 letters": "a" * 2049,
    "64 KB": "a.b." + "c" * 65536,
    "64 KB of brackets": base64url(b"[" * 24000) + ".e30.AAAA",
    "a signed value of nobody's": "WyJhIiwiYiJd:1tGQ0a:c2lnbmF0dXJl",
    "a bomb of zeros": "." + base64url(compress(b"0" * 1_000_000)) + ":a:b",
}

# A whole header. `{a}` and `{r}` stand for the real tokens.
HEADERS: dict[str, str | bytes] = {
    "only semicolons": ";" * 1000,
    "only equals signs": "====; ==; =",
    "names without values": f"{ACCESS}; {REFRESH}; {PROBE}",
    "a nameless cookie that spells ours": f"={ACCESS}={{a}}; ={REFRESH}={{r}}",
    "the names without the prefix": "access={a}; refresh={r}",
    "the prefix in lower case": "__host-access={a}; __host-refresh={r}",
    "the other prefix": "__Secure-access={a}; __Secure-refresh={r}",
    "percent encoding in the names": "__Host%2Daccess={a}; %5F_Host-refresh={r}",
    "quotes around the names": '"__Host-access"={a}; "__Host-refresh"={r}',
    "quotes around the values": '__Host-access="{a}"; __Host-refresh="{r}"',
    "spaces before the equals signs": "__Host-access ={a}; __Host-refresh ={r}",
    "spaces behind the equals signs": "__Host-access= {a}; __Host-refresh= {r}",
    "tabs before the names": "x=1; \t__Host-access={a}; \t__Host-refresh={r}",
    "commas instead of semicolons": "x=1, __Host-access={a}, __Host-refresh={r}",
    "the syntax of RFC 2965": '$Version=1; x="a"; $Path="/", __Host-access={a}',
    "both twice, the same": "__Host-access={a}; __Host-refresh={r}; __Host-access={a}; __Host-refresh={r}",
    "both twice, the second without a value": "__Host-access={a}; __Host-refresh={r}; __Host-access; __Host-refresh",
    "both twice, far apart": "__Host-access={a}; __Host-refresh={r}; "
    + "; ".join(f"c{number}={number}" for number in range(200))
    + "; __Host-access=x; __Host-refresh=x",
    "a double hidden in quotes": 'x="; __Host-access={a}; "; __Host-access={a}; y="; __Host-refresh={r}; "; '
    "__Host-refresh={r}",
    "exchanged": "__Host-access={r}; __Host-refresh={a}",
    "both in one": "__Host-access={a}{r}; __Host-refresh={r},{a}",
    "under the names of others": "sessionid={a}; __Host-session={r}; __Host-csrftoken={a}; __Host-messages={r}",
    "as a probe": "__Host-probe={r}",
    "a session and messages that nobody signed": "__Host-session=.eJwDAAAAAAE:1tGQ0a:x; __Host-messages=[[[[:1tGQ0a:x",
    "messages of 64 KB": "__Host-messages=" + "[" * 65000,
    "a CSRF token of other characters": "__Host-csrftoken=" + "é" * 32,
    "a language that does not exist": "__Host-language=../../etc",
    "what neighbours leave": '_ga=GA1.2.1234567890; PHPSESSID=0123; cart=a:1:{i:0;s:1:"x";}; prefs={"theme":"dark"}',
    "a neighbour's names and values that are not ASCII": "Zoë=1; naïve=Zoë; 名前=値; a\x01b=c\x02d",
    "a neighbour's octets that are no UTF-8": b"caf\xe9=cr\xe8me; a=\xff\xfe; \xa0=\x80; \xc3=\x28",
    "a name of 64 KB": "n" * 65536 + "=x",
    "thousands of cookies": "; ".join(f"c{number}=1" for number in range(6500)),
    "64 KB between ours": "__Host-access={a}; x=" + "x" * 65000 + "; __Host-access={a}",
}

# Octets at the edges of a name. Django's own reading strips most of them off, and a neighbour may set such names.
STRAY: dict[str, bytes] = {
    **{f"U+{ord(space):04X}": space.encode() for space in "\u00a0\u2000\u2028\u3000\ufeff"},
    "the octet A0": b"\xa0",
    "the octet 85": b"\x85",
}
CONTROLS: dict[str, bytes] = {"a vertical tab": b"\v", "a file separator": b"\x1c"}  # gunicorn refuses these itself

# A few of the forged tokens, for places where all of them would say nothing new.
SOME_FORGED = ("alg none", "HS256 keyed with nothing", "without kid", "expired")


def headers(real: Real) -> dict[str, bytes]:
    """Return every case as the value of a Cookie header. None signs anybody in, and none ends the session of `real`."""
    found = {what: b"; ".join(name.encode() + b"=" + _octets(value) for name in OURS) for what, value in VALUES.items()}
    found |= {
        what: _octets(header).replace(b"{a}", real.access.encode()).replace(b"{r}", real.refresh.encode())
        for what, header in HEADERS.items()
    }
    for what, stray in (STRAY | CONTROLS).items():
        found[f"{what} before the names"] = pair(real, stray)
        found[f"{what} behind the names"] = pair(real, b"", stray)
    for what in SOME_FORGED:
        pairs = ((name, forged(real.by(name), real.key)[what]) for name in (ACCESS, REFRESH))
        found[f"tokens: {what}"] = "; ".join(f"{name}={token}" for name, token in pairs).encode()
    return found


def pair(real: Real, before: bytes = b"", behind: bytes = b"") -> bytes:
    """Return both cookies of `real`, with these octets at the edges of their names."""
    pairs = ((ACCESS, real.access), (REFRESH, real.refresh))
    return b"; ".join(before + name.encode() + behind + b"=" + token.encode() for name, token in pairs)


def _octets(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
