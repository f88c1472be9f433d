"""A load generator: requests over connections that are kept, as many at a time as there are connections."""

from __future__ import annotations

import http.client
import os
import selectors
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from time import perf_counter, sleep
from typing import Any

TIMEOUT = 120  # seconds for an answer


def get(port: int, path: str) -> int:
    """Return the status of one answer. Raises OSError if there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except http.client.HTTPException as error:
        raise OSError from error
    finally:
        connection.close()


def page(path: str, jar: str = "") -> bytes:
    """Return a request for this page, with these cookies."""
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", *([f"Cookie: {jar}"] if jar else [])]
    return "\r\n".join((*lines, "", "")).encode()


def form(path: str, jar: str, address: str, body: str) -> bytes:
    """Return a form that is sent from this address, as a proxy in front of the server tells it."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        f"Cookie: {jar}",
        f"X-Forwarded-For: {address}",
        "X-Forwarded-Proto: http",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join((*lines, "", body)).encode()


class Load:
    """Sends `request` again and again over so many connections; each answer has to be a 200 that ends with `wanted`."""

    def __init__(self, port: int, request: bytes, wanted: bytes, connections: int) -> None:
        self.port, self.request, self.wanted, self.connections = port, request, wanted, connections

    def run(self, seconds: float, until: Any = lambda: False) -> list[float]:
        """Return the time that each answer took, one at least. Ends after `seconds`, or once `until()`."""
        took: list[float] = []
        with self._open() as ready:
            ended = perf_counter() + seconds
            while not took or (perf_counter() < ended and not until()):
                took += [exchange.again() for exchange in self._answered(ready)]
        return took

    def rate(self) -> float:
        """Return the answers a second if each connection waits for one. Nothing is left to do for whoever is next."""
        began = perf_counter()
        with self._open() as ready:
            left = self.connections
            while left:
                left -= len(list(self._answered(ready)))
        return self.connections / (perf_counter() - began)

    @contextmanager
    def _open(self) -> Iterator[selectors.BaseSelector]:
        """Yield a selector of all connections, each with its first request."""
        with selectors.DefaultSelector() as ready, ExitStack() as stack:
            for _ in range(self.connections):
                connection = stack.enter_context(socket.create_connection(("127.0.0.1", self.port), TIMEOUT))
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                ready.register(connection, selectors.EVENT_READ, _Exchange(connection, self.request))
            yield ready

    def _answered(self, ready: selectors.BaseSelector) -> Iterator[_Exchange]:
        """Yield those whose answer is whole by now."""
        answers = ready.select(TIMEOUT)
        if not answers:
            raise SystemExit("The server has stopped answering.")
        for key, _ in answers:
            if key.data.receive(self.wanted):
                yield key.data


class _Exchange:
    def __init__(self, connection: socket.socket, request: bytes) -> None:
        self.connection, self.request = connection, request
        self._send()

    def receive(self, wanted: bytes) -> bool:
        """Return whether the answer is whole by now."""
        some = self.connection.recv(65536)
        self.answer += some
        if not some or not b"HTTP/1.1 200".startswith(self.answer[:12]):
            raise SystemExit(f"The server answers:\n{self.answer[:500].decode(errors='replace')}")
        return self.answer.endswith(wanted)

    def again(self) -> float:
        """Send the request once more, and return how long the answer took."""
        took = perf_counter() - self.began
        self._send()
        return took

    def _send(self) -> None:
        self.answer = b""
        self.began = perf_counter()
        self.connection.sendall(self.request)


def paced(load: Load, every: float, seconds: float, until: Callable[[], bool] = lambda: False) -> list[float]:
    """Return how long those wait who ask every so many seconds, one after the other on one connection.

    Each wait is from when it was their turn, so that a long standstill counts for all of them. Ends after `seconds`, or
    once `until()`.
    """
    took: list[float] = []
    with socket.create_connection(("127.0.0.1", load.port), TIMEOUT) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ended = perf_counter() + seconds
        due = perf_counter()
        while not took or (due < ended and not until()):
            if (early := due - perf_counter()) > 0:
                sleep(early)
                due = perf_counter()  # what the clock oversleeps is nobody's wait
            exchange = _Exchange(connection, load.request)
            while not exchange.receive(load.wanted):
                pass
            took.append(perf_counter() - due)
            due += every
    return took


def percentile(figures: Sequence[float], share: float) -> float:
    """Return the least figure that this share of all does not exceed."""
    return sorted(figures)[min(len(figures) - 1, int(share * len(figures)))]


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Keep this process, and whatever it starts, on one core where that can be had: 0 is the first, -1 the last."""
    if sys.platform != "linux":
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(cores)[core]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
