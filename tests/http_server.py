"""A server of a test's own on loopback, for what asks one."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class Handler(BaseHTTPRequestHandler):
    """Writes no line for each request."""

    def log_message(self, *arguments: Any) -> None:
        pass


@contextmanager
def serving(handler: type[Handler]) -> Iterator[int]:
    """Serve as long as the block lasts. Yield the port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
