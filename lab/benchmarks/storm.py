"""A crowd that signs in at once.

`python -m lab.benchmarks.storm PORT NUMBER` says how many were refused, how often somebody was sent away and came back,
and how many seconds it took.
"""

from __future__ import annotations

import heapq
import json
import random
import selectors
import socket
import sys
from secrets import token_hex
from time import perf_counter
from urllib.parse import urlencode

from . import people
from .load import TIMEOUT, form


def run(port: int, number: int) -> dict[str, float]:
    """Sign all in at once, each from an address of their own, and those who are told to come back, when they do."""
    refused, returned, began = 0, 0, perf_counter()
    due, waiting = [(began, place) for place in range(number)], selectors.DefaultSelector()
    while due or waiting.get_map():
        while due and due[0][0] <= perf_counter():
            _, place = heapq.heappop(due)
            waiting.register(_send(port, place), selectors.EVENT_READ, place)
        for key, _ in waiting.select(max(0, due[0][0] - perf_counter()) if due else TIMEOUT):
            connection: socket.socket = key.fileobj  # type: ignore[assignment]
            waiting.unregister(connection)
            with connection:
                answer = connection.recv(65536)
            if answer.startswith(b"HTTP/1.1 503"):
                returned += 1
                pause = int(answer.partition(b"\r\nRetry-After: ")[2].partition(b"\r\n")[0])
                heapq.heappush(due, (perf_counter() + pause + random.random(), key.data))  # noqa: S311
            else:
                refused += not answer.startswith(b"HTTP/1.1 302")
    return {"refused": refused, "returned": returned, "seconds": perf_counter() - began}


def _send(port: int, place: int) -> socket.socket:
    """Send a new form each time: one that was sent before costs nothing."""
    secret = token_hex(16)  # a CSRF cookie and its form field
    fields = {"username": f"person{place}", "password": people.PASSWORD, "csrfmiddlewaretoken": secret}
    connection = socket.create_connection(("127.0.0.1", port), TIMEOUT)
    connection.sendall(form("/accounts/login/", f"__Host-csrftoken={secret}", f"198.51.{place}.1", urlencode(fields)))
    return connection


if __name__ == "__main__":
    print(json.dumps(run(*map(int, sys.argv[1:]))))
