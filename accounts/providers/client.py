"""Ask providers, whose answers nobody here controls.

A request goes to an address that was checked, follows no redirect, and has a deadline; an answer has a largest size.
Documents are kept in the memory of this process: whoever could put keys into a shared cache could sign in as anybody.
Few threads wait for a slow provider, and none for one that has just failed.
"""

import json
import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from http.client import HTTPConnection, HTTPException
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from threading import BoundedSemaphore, Timer
from time import monotonic
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

from accounts.providers.configuration import THIS_MACHINE
from accounts.providers.exceptions import ProviderError
from accounts.providers.registry import Provider

Document = dict[str, Any]

TIMEOUT = 5.0  # seconds, for each step
DEADLINE = 10.0  # seconds, for all of an answer
MAX_ADDRESSES = 4  # of a host, that are tried
MAX_BYTES = 256 * 1024
CACHE_LIFETIME = 3600.0  # seconds
RETRY_AFTER = 15.0  # seconds after a document could not be had
SLOT_TIMEOUT = 1.0  # seconds to wait for a slot, such as when a whole class signs in at once
_GLOBAL_UNICAST, _6TO4 = ip_network("2000::/3"), ip_network("2002::/16")  # the latter lead to an IPv4 address inside

at_once = 8  # requests of this process to one provider, unless project/server.py knows better

_cache: dict[str, tuple[float, Document]] = {}
_failed: dict[str, float] = {}
_slots: dict[str, BoundedSemaphore] = {}


def cached(
    provider: Provider,
    url: str,
    max_age: float = CACHE_LIFETIME,
    check: Callable[[Document], None] = lambda document: None,
) -> Document:
    """Return the document at `url`, fetched at most `max_age` seconds ago, which `check` may refuse.

    Raise ProviderError, as `check` does, for the next RETRY_AFTER seconds too.
    """
    fetched_at, earlier = _cache.get(url, (float("-inf"), {}))
    if monotonic() - fetched_at < max_age:
        return earlier
    if monotonic() - _failed.get(url, float("-inf")) < RETRY_AFTER:
        raise ProviderError(f"{url} has just failed.")
    try:
        document: Document = fetch(provider, url)
        check(document)
    except ProviderError:
        _failed[url] = monotonic()
        raise
    _cache[url] = monotonic(), document
    return document


def clear_cache() -> None:
    """Forget the documents, and what has failed."""
    _cache.clear()
    _failed.clear()


def fetch(
    provider: Provider, url: object, data: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
) -> Any:
    """Return the JSON at `url`, or what it answers to a form with `data`. Raise ProviderError."""
    slots = _slots.setdefault(provider.name, BoundedSemaphore(at_once))
    if not slots.acquire(timeout=SLOT_TIMEOUT):
        raise ProviderError(f"{url}: Too many requests wait for {provider}.")
    try:
        return _fetch(provider, checked_url(provider, url), data, headers or {})
    except (OSError, HTTPException, ValueError, RecursionError) as error:
        raise ProviderError(f"{url}: {type(error).__name__}: {error}"[:300]) from error
    finally:
        slots.release()


def bearer(tokens: Document) -> dict[str, str]:
    """Return the header that shows the access token of a token response. Raise ProviderError."""
    token = tokens.get("access_token")
    if not isinstance(token, str) or not (token.isascii() and token.isprintable()):
        raise ProviderError(f"There is no access token: {tokens.get('error', '')!r:.100}")
    return {"Authorization": f"Bearer {token}"}


def checked_url(provider: Provider, url: object) -> SplitResult:
    """Return the parts of a URL of `provider`, which needs TLS unless it is on this machine. Raise ProviderError."""
    try:
        parts = urlsplit(url if isinstance(url, str) and url.isascii() and url.isprintable() else "")
        local = provider.private_network and parts.hostname in THIS_MACHINE
        if parts.hostname and parts.scheme in ("https", *(["http"] if local else [])):
            int(parts.port or 0)  # raises ValueError if it is no port
            return parts
    except ValueError:
        pass
    raise ProviderError(f"Not a URL over TLS: {url!r:.200}")


def _fetch(provider: Provider, url: SplitResult, data: Mapping[str, str] | None, headers: Mapping[str, str]) -> Any:
    body = None if data is None else urlencode(data)
    sent = {"Accept": "application/json", "User-Agent": "sojourn", "Connection": "close", **headers}
    if body is not None:
        sent["Content-Type"] = "application/x-www-form-urlencoded"
    host = str(url.hostname)
    connection = HTTPConnection(host, url.port)  # for the header Host
    sock = _connect(provider, host, url.port or (443 if url.scheme == "https" else 80))
    # A server that sends a byte now and then would stay within every timeout.
    timer = Timer(DEADLINE, _shut_down, (sock,))
    timer.daemon = True
    timer.start()
    try:
        # A duplicate, since `wrap_socket` leaves nothing to shut down of what it is given.
        encrypted = url.scheme == "https"
        connection.sock = _context().wrap_socket(sock.dup(), server_hostname=host) if encrypted else sock
        target = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
        connection.request("GET" if body is None else "POST", target, body, sent)
        response = connection.getresponse()
        content = response.read(MAX_BYTES + 1)
        if response.status != 200:
            raise ValueError(f"status {response.status}")
        if len(content) > MAX_BYTES:
            raise ValueError("too long")
        return json.loads(content)
    finally:
        timer.cancel()
        connection.close()
        sock.close()


def _connect(provider: Provider, host: str, port: int) -> socket.socket:
    """Return a connection to the first address of `host` that may be connected to."""
    last: OSError = OSError(f"{host} has no address that may be connected to")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[:MAX_ADDRESSES]:
        if not provider.private_network and not _is_public(ip_address(str(address[0]).partition("%")[0])):
            continue
        sock = socket.socket(family, kind, protocol)
        sock.settimeout(TIMEOUT)
        try:
            sock.connect(address)
            return sock
        except OSError as error:
            sock.close()
            last = error
    raise last


def _shut_down(sock: socket.socket) -> None:
    with suppress(OSError):  # The answer may have ended this very moment.
        sock.shutdown(socket.SHUT_RDWR)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and (address not in _GLOBAL_UNICAST or address in _6TO4):
        return False
    return address.is_global and not address.is_multicast


@cache
def _context() -> ssl.SSLContext:
    return ssl.create_default_context()
