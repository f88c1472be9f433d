"""Verifies a Sojourn site's access tokens with its public keys, without asking it about each request.

Nothing in a token says how to verify it. The algorithms, the addresses of keys and status list, the issuer and the
audience are configured here; a token can only agree, or be refused.
"""

import json
import logging
import threading
import zlib
from base64 import urlsafe_b64decode
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, time
from typing import Any, Generic, TypeVar
from urllib.request import urlopen

import jwt

KEYS_AGE = 300  # seconds after which the keys are fetched again, so that one that leaked and was retired goes here too
PAUSE = 5  # seconds between fetches for kids that are not known, so that made-up ones cause no flood
TIMEOUT = 2  # seconds for the issuer to answer

T = TypeVar("T")
logger = logging.getLogger(__name__)


class InvalidToken(Exception):
    """The token is not good; the message is for the log."""


class Unavailable(Exception):
    """Whether the token is good cannot be known at the moment."""


class Fetched(Generic[T]):
    """What the issuer publishes at one address, as it was when it was last to be had."""

    def __init__(self, url: str, read: Callable[[bytes], T], value: T) -> None:
        self.url, self.value = url, value
        self._read = read
        self._tried_at = float("-inf")
        self._lock = threading.Lock()

    def renew(self, age: float) -> T:
        """Return the value, fetched anew if that was last tried `age` seconds ago.

        An outage of the issuer is none of ours: what cannot be fetched, or read, leaves the last value.
        """
        with self._lock:  # whoever comes meanwhile waits for the same answer
            if monotonic() - self._tried_at >= age:
                self._tried_at = monotonic()
                try:
                    with urlopen(self.url, timeout=TIMEOUT) as response:
                        self.value = self._read(response.read())
                    logger.info("Fetched %s", self.url)
                except Exception as error:  # whatever it is, the last value is better than none
                    logger.warning("Could not fetch %s: %r", self.url, error)
            return self.value


@dataclass(frozen=True)
class StatusList:
    """A Token Status List (draft-ietf-oauth-status-list §4): `bits` for each token, 0 while it is valid."""

    bits: int
    octets: bytes
    ttl: float  # seconds for which it need not be fetched again
    exp: float  # when it is over, in seconds since 1970

    def status(self, index: Any) -> int:
        """Return a token's status. Raises InvalidToken for an index not in the list: -1 is the last one to Python."""
        if type(index) is not int or not 0 <= index < len(self.octets) * 8 // self.bits:
            raise InvalidToken("its index is not in the status list")
        octet, shift = divmod(index * self.bits, 8)
        return (self.octets[octet] >> shift) & ((1 << self.bits) - 1)


class Verifier:
    """The access tokens of one issuer for one audience."""

    def __init__(self, issuer: str, audience: str, algorithms: list[str]) -> None:
        self._issuer, self._audience, self._algorithms = issuer, audience, algorithms
        place = issuer.rstrip("/") + "/.well-known"
        never = StatusList(bits=1, octets=b"", ttl=1, exp=0)
        self._keys = Fetched[dict[str, jwt.PyJWK]](f"{place}/jwks.json", self._read_keys, {})
        self._list = Fetched(f"{place}/status-list", self._read_list, never)

    def claims_of(self, token: str) -> dict[str, Any]:
        """Return what a good access token says (RFC 9068). Raises InvalidToken, or Unavailable."""
        claims = self._decoded(token, "at+jwt", self._audience, ["iss", "aud", "sub", "sid", "iat", "exp", "jti"])
        if "status" in claims:
            self._refuse_ended(claims["status"])
        return claims

    def _decoded(self, token: str, typ: str, audience: str | None, required: list[str]) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            if header.get("typ") != typ:  # one kind of token never passes for another (RFC 8725 §3.11)
                raise InvalidToken("it is of another type")
            return jwt.decode(
                token,
                self._key(header.get("kid")),
                algorithms=self._algorithms,  # and of these only the key's own
                issuer=self._issuer,
                audience=audience,
                options={"require": required, "verify_iat": False},  # the issuer's clock may be a little ahead
            )
        except jwt.PyJWTError as error:
            raise InvalidToken(str(error)) from error

    def _key(self, kid: str | None) -> jwt.PyJWK:
        keys = self._keys.renew(KEYS_AGE)
        if kid not in keys:  # seldom: a key is published for a whole period before it signs
            keys = self._keys.renew(PAUSE)
        if not keys:
            raise Unavailable("there is no key yet")
        if kid not in keys:
            raise InvalidToken("its key is not one of the issuer's")
        return keys[kid]

    def _refuse_ended(self, status: Any) -> None:
        named = status.get("status_list") if isinstance(status, dict) else None
        # Whoever fetches what a token names, fetches what an attacker names.
        if not isinstance(named, dict) or named.get("uri") != self._list.url:
            raise InvalidToken("it names another status list")
        status_list = self._list.renew(self._list.value.ttl)
        if time() >= status_list.exp:
            raise Unavailable("the status list is over, and there is no newer one")
        if status_list.status(named.get("idx")) != 0:
            raise InvalidToken("its session has ended")

    def _read_keys(self, body: bytes) -> dict[str, jwt.PyJWK]:
        found = [key for key in json.loads(body)["keys"] if key.get("alg") in self._algorithms]
        return {key["kid"]: jwt.PyJWK(key) for key in found}

    def _read_list(self, body: bytes) -> StatusList:
        claims = self._decoded(body.decode(), "statuslist+jwt", None, ["iss", "sub", "iat", "exp", "ttl"])
        if claims["sub"] != self._list.url:
            raise InvalidToken("it is the list of another address")
        bits, packed = claims["status_list"]["bits"], claims["status_list"]["lst"]
        if bits not in (1, 2, 4, 8):
            raise InvalidToken("its statuses are of no known size")
        octets = zlib.decompress(urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
        return StatusList(bits, octets, ttl=max(1, claims["ttl"]), exp=claims["exp"])
