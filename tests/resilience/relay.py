"""A bad network between a real browser and the server."""

import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import sleep

from tests.resilience.fate import FAIR, Fate

Plan = Callable[[str, str], Fate]  # by method and path; it may also wait


class Connection(socketserver.BaseRequestHandler):
    """One connection of a browser and the one to the server behind it, on which one request at a time is under way."""

    server: "Relay"

    def handle(self) -> None:
        """Hand on what the browser sends. A request begins where a chunk does."""
        self.fate = FAIR
        with socket.create_connection(("127.0.0.1", self.server.upstream)) as site, suppress(OSError):
            threading.Thread(target=self.answer, args=(site,), daemon=True).start()
            while octets := self.request.recv(1 << 16):
                if octets.startswith((b"GET ", b"POST ")):
                    method, path, _ = octets.decode("latin-1").split(" ", 2)
                    self.fate = self.server.plan(method, path)
                    sleep(self.fate.before)
                if self.fate.lost == "request":
                    break
                site.sendall(octets)
            site.shutdown(socket.SHUT_RDWR)  # which ends the other thread

    def answer(self, site: socket.socket) -> None:
        with suppress(OSError):
            while octets := site.recv(1 << 16):
                sleep(self.fate.after)
                if self.fate.lost:
                    break
                self.request.sendall(octets)
            self.request.shutdown(socket.SHUT_RDWR)


class Relay(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, upstream: int, plan: Plan) -> None:
        super().__init__(("127.0.0.1", 0), Connection)
        self.upstream, self.plan = upstream, plan


@contextmanager
def relaying(upstream: int, plan: Plan) -> Iterator[str]:
    """Yield the URL at which the server on the port `upstream` is reached with the fates that `plan` gives."""
    with Relay(upstream, plan) as relay:
        threading.Thread(target=relay.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{relay.server_address[1]}"
        relay.shutdown()
