"""What signing in costs beside one hash of the password, and what many people who do it at once cost the others.

`python -m lab.benchmarks.signing_in` is a contender: the whole site, in process, and one hash of its hasher.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack
from secrets import token_hex
from threading import Event, Thread
from time import sleep
from urllib.parse import urlencode

from . import people, rounds
from .load import PATIENCE, Load, arriving, form, page, percentile
from .report import Figure, Goal, Line, at_most, milli
from .server import Server

TITLE = "Signing in"
NOTE = (
    "Through the whole stack, on PostgreSQL. "
    "The crowd signs in over HTTP, again after a 503, while Alice, signed in, opens pages."
)
SLOTS = 2 * 64  # MiB: two hashes at a time (accounts/security/hashers.py)
RETRY_AFTER = 5  # seconds (accounts/security/throttle.py)
EVERY = 0.005  # seconds between two pages that are asked for


def goal(environment: dict[str, str], effort: rounds.Effort) -> Goal:
    own = {**environment, "TRUSTED_PROXIES": "1"}  # so that each of the crowd has an address
    found = rounds.compare([rounds.Contender("signing_in", environment=own)], effort.rounds, max(1, effort.times // 40))
    hashed, signed_in = found["one hash"], found["signing in"]
    lines = [
        Line("Sojourn, signing in", milli(signed_in), signed_in / hashed, at_most(1.1)),
        Line("Floor: one Argon2 hash", milli(hashed)),
        *_crowd(own, effort),
    ]
    return Goal(TITLE, NOTE, lines)


def _crowd(environment: dict[str, str], effort: rounds.Effort) -> list[Line]:
    with Server(environment) as server:
        pages = Load(server.port, page("/hello/", environment["BENCHMARKS_TOKENS"]), b"\r\n\r\nalice", connections=1)
        before = pages.run(effort.seconds)
        slept = server.memory()
        beside, (refused, returned) = _beside(pages, server.port, effort.crowd)
        grown = (server.memory("VmHWM") - slept) / 2**20
    quiet, busy = (percentile(arriving(each, EVERY), 0.99) for each in (before, beside))
    who = f"{effort.crowd} at once"
    return [
        Line(f"{who}: memory above what the worker had", Figure(grown, "MiB"), goal=at_most(SLOTS + 32, "MiB")),
        Line(f"{who}: not signed in", Figure(refused, "people"), goal=at_most(0, "people")),
        Line(f"{who}: turned away and back", Figure(returned, "times")),
        Line("A signed-in page before it, 99 %", milli(quiet)),
        Line("A signed-in page beside it, 99 %", milli(busy), busy / quiet, at_most(2)),
    ]


def _beside(pages: Load, port: int, number: int) -> tuple[list[float], tuple[int, int]]:
    """What Alice's pages took while so many people signed in; and what `_sign_in` returns."""
    over, counts = Event(), [(0, 0)]

    def crowd() -> None:
        try:
            counts[0] = _sign_in(port, number)
        finally:
            over.set()

    thread = Thread(target=crowd, daemon=True)
    thread.start()
    took = pages.run(PATIENCE, over.is_set)
    thread.join(PATIENCE)
    return took, counts[0]


def _sign_in(port: int, number: int) -> tuple[int, int]:
    """All at once, each from an address of their own, and those for whom there is no place again after the pause.

    Returns how many were not let in, and how often somebody had to come back.
    """
    places, refused, returned = list(range(number)), 0, 0
    while places:
        answers = _answers(port, places)
        places = [place for place in places if answers[place].startswith(b"HTTP/1.1 503")]
        refused += sum(not answer.startswith((b"HTTP/1.1 302", b"HTTP/1.1 503")) for answer in answers.values())
        returned += len(places)
        sleep(RETRY_AFTER if places else 0)
    return refused, returned


def _answers(port: int, places: list[int]) -> dict[int, bytes]:
    """Each signs in from an address of their own, with a new form: one that was sent before costs nothing."""
    secret = token_hex(16)  # a CSRF cookie and its form field
    with ExitStack() as stack:
        waiting = {}
        for place in places:
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE))
            fields = body(place, secret)
            connection.sendall(form("/accounts/login/", f"__Host-csrftoken={secret}", f"198.51.{place}.1", fields))
            waiting[place] = connection
        return {place: connection.recv(65536) for place, connection in waiting.items()}


def body(place: int, secret: str) -> str:
    fields = {"username": f"person{place}", "password": people.PASSWORD, "csrfmiddlewaretoken": secret}
    return urlencode(fields)


def main() -> None:
    user = people.alice()
    from django.contrib.auth.hashers import get_hasher
    from django.core.cache import cache

    from tokens import cookies
    from tokens.testing import Client

    client, hasher = Client(), get_hasher()
    fields = {"username": user.get_username(), "password": people.PASSWORD}

    def sign_in() -> None:
        """In a browser that is known, and not signed in: to end the sign-in before would come on top."""
        cache.clear()  # so many in an hour would have to wait
        for cookie in (cookies.name_of("access"), cookies.name_of("refresh")):
            client.cookies.pop(cookie, None)
        answer = client.post("/accounts/login/", fields)
        if answer.status_code != 302:
            raise SystemExit(f"Alice was not let in: {answer.status_code}")

    def measure(times: int) -> rounds.Figures:
        hashed, signed_in = rounds.above(lambda: hasher.verify(people.PASSWORD, user.password), sign_in, times)
        return {"one hash": hashed, "signing in": signed_in}

    sign_in()  # the browser is known from now on
    rounds.serve(measure)


if __name__ == "__main__":
    main()
