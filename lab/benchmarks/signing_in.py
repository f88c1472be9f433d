"""What signing in costs beside one hash of the password, and what many people who do it at once cost the others.

`python -m lab.benchmarks.signing_in` is a contender: the whole site, in process, and one hash of its hasher.
"""

from __future__ import annotations

from threading import Event, Thread

from . import people, rounds
from .load import TIMEOUT, Load, paced, page, percentile
from .report import Figure, Goal, Line, at_most, milli
from .server import Server

TITLE = "Signing in"
NOTE = (
    "Through the whole stack, on PostgreSQL. "
    "The crowd signs in over HTTP, again when a 503 says so, while Alice, signed in, opens 200 pages a second."
)
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
        slept = server.memory()
        for _ in range(2):  # so that all is loaded, for the mail that tells of another browser, too
            storm(environment, server.port, 1)
        pages = Load(
            server.port, page("/pages/hello/", environment["BENCHMARKS_TOKENS"]), b"\r\n\r\nalice", connections=1
        )
        pages.run(effort.seconds)  # warm, and the mail is sent
        alone = paced(pages, EVERY, 4 * effort.seconds)
        beside, crowd = _beside(pages, environment, effort.crowd)
        grown = (server.memory("VmHWM") - slept) / 2**20
        alone += paced(pages, EVERY, 4 * effort.seconds)
    quiet, busy = (percentile(took, 0.99) for took in (alone, beside))
    who = f"{effort.crowd} at once"
    return [
        Line(f"{who}: memory above what the worker had", Figure(grown, "MiB"), goal=at_most(160, "MiB")),
        Line(f"{who}: not signed in", Figure(crowd["refused"], "people"), goal=at_most(0, "people")),
        Line(f"{who}: turned away and back", Figure(crowd["returned"], "times")),
        Line(f"{who}: until all are in", Figure(crowd["seconds"], "s")),
        Line("A signed-in page before it and after it, 99 %", milli(quiet)),
        Line("A signed-in page beside it, half of them", milli(percentile(beside, 0.5))),
        Line("A signed-in page beside it, 99 %", milli(busy), busy / quiet, at_most(2)),
    ]


def _beside(pages: Load, environment: dict[str, str], number: int) -> tuple[list[float], rounds.Figures]:
    """Return what Alice's pages took while so many people signed in; and what became of these."""
    over, told = Event(), []

    def crowd() -> None:
        try:
            told.append(storm(environment, pages.port, number))
        finally:
            over.set()

    thread = Thread(target=crowd, daemon=True)
    thread.start()
    took = paced(pages, EVERY, TIMEOUT, over.is_set)
    thread.join(TIMEOUT)
    return took, told[0]


def storm(environment: dict[str, str], port: int, number: int) -> rounds.Figures:
    """Run the crowd in a process of its own, so that the one who asks for pages does not wait for it."""
    figures: rounds.Figures = rounds.told("storm", str(port), str(number), environment=environment)
    return figures


def main() -> None:
    user = people.alice()
    from django.contrib.auth.hashers import get_hasher
    from django.core.cache import cache

    from tokens import cookies
    from tokens.testing import Client

    client, hasher = Client(), get_hasher()
    fields = {"username": user.get_username(), "password": people.PASSWORD}

    def sign_in() -> None:
        """Sign in, in a browser that is known and not signed in: ending the session before would come on top."""
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
