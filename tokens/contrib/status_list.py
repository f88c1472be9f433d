"""The Token Status List (draft-ietf-oauth-status-list): one signed list of bits says which sign-ins have ended.

A sign-in has a place in the list, and its access tokens name it. A neighbour reads the list now and then, and so
neither asks about each token nor tells anybody which tokens it was shown. It is kept small by what it leaves out: an
end is in the list for as long as an access token could have outlived it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from functools import lru_cache

from .jwts import status_uri, write
from .keys import KeyRing, base64url

STATUS_LIST = "statuslist+jwt"  # §5.1
MARGIN = 300  # seconds that an end stays in the list beyond an access lifetime: clocks differ, requests take their time


def write_status_list(
    ended: Iterable[int], *, size: int, now: float, lifetime: float, ring: KeyRing, issuer: str
) -> str:
    """The list of `size` places, a multiple of 8, of which those of `ended` are no longer valid: a JWT of `issuer`.

    `lifetime` is that of access tokens in seconds. So long the list may be gone by (`exp`) when nothing newer is to be
    had, because all that it knows of is over by then; a newer one is worth reading after `ttl` (§5.1, §13.7).
    """
    iat = int(now)
    payload = {
        "iss": issuer,
        "sub": status_uri(issuer),
        "iat": iat,
        "exp": iat + max(1, int(lifetime)),
        "ttl": time_to_live(lifetime),
        "status_list": {"bits": 1, "lst": compressed(packed(ended, size))},
    }
    return write(payload, STATUS_LIST, ring.current)


def time_to_live(lifetime: float) -> int:
    """For how many seconds nobody needs to read the list again: a fifteenth of an access token's life."""
    return max(1, int(lifetime / 15))


def packed(places: Iterable[int], size: int) -> bytes:
    """A bit for each of `size` places, in octets from their least significant bit on (§4.1); 1 for `places`."""
    octets = bytearray(size // 8)
    for place in places:
        octets[place // 8] |= 1 << place % 8
    return bytes(octets)


@lru_cache(maxsize=1)  # nine tenths of the work, and anybody may ask as often as they like
def compressed(octets: bytes) -> str:
    """The `lst` of a status list: DEFLATE in the ZLIB format, as small as it gets, in base64url (§4.1, §4.2)."""
    return base64url(zlib.compress(octets, level=9))
