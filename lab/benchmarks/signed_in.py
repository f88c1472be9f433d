"""What a signed-in request costs above a bare one, in process: the whole of Django's WSGI handler, and no socket.

`python -m lab.benchmarks.signed_in STACK` is a contender.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from io import BytesIO
from typing import Any

from . import floors, parts, peers, rounds
from .report import Goal, Line, at_least, at_most, micro

TITLE = "A signed-in request"
NOTE = (
    "Overhead above the bare view, in process. "
    "The ratio of ours is to the bare view itself; that of the others, to ours (HS256)."
)
GOALS = {
    "Django sessions, database, SQLite": at_least(25),
    "Django sessions, database, PostgreSQL": at_least(45),
    "simplejwt, stateless": at_least(3.5),
}


def goal(environment: dict[str, str], effort: rounds.Effort) -> Goal:
    contenders = []
    for place, (name, stack) in enumerate(peers.STACKS.items()):
        own = parts.database(environment, f"peers{place}") if stack.database == "postgresql" else environment
        contenders.append(rounds.Contender("signed_in", name, environment=own))
    found = rounds.compare(contenders, effort.rounds, effort.times)
    bare, ours = found.pop("The bare view itself"), found["Sojourn, HS256"]
    by_hand = found.pop("HMAC and JSON by hand")
    lines = []
    for name, seconds in found.items():
        if name.startswith("Sojourn"):
            bound = at_most(0.45 if "SessionMiddleware" in name else 0.3)
            lines.append(Line(name, micro(seconds), seconds / bare, bound))
        else:
            lines.append(Line(name, micro(seconds), seconds / ours, GOALS.get(name)))
    lines.append(Line("Floor: HMAC and JSON by hand", micro(by_hand), by_hand / ours))
    lines.append(Line("The bare view itself", micro(bare)))
    return Goal(TITLE, NOTE, lines, "signed-in")


def main() -> None:
    stack = peers.STACKS[sys.argv[1]]
    peers.configure(stack)
    peers.create_tables()
    asked = {peer.name: _Asked(peer, peers.alice()) for peer in stack.peers}
    bare = handler(())

    def measure(times: int) -> rounds.Figures:
        answer = {}
        for name, peer in asked.items():
            with peer.settings():
                peer.ask()
                floor, cost = rounds.above(lambda: ask(bare, "/pages/bare/"), peer.ask, times)
            answer[name] = cost - floor
        if stack is peers.TOKENS_STACK:
            answer["The bare view itself"] = floor
            answer["HMAC and JSON by hand"] = rounds.least(floors.by_hand(), times)
        return answer

    rounds.serve(measure)


class _Asked:
    """A peer with its own handler, and the headers of whoever it has signed in."""

    def __init__(self, peer: peers.Peer, user: Any) -> None:
        self.peer = peer
        with self.settings():
            self.headers = peer.sign_in(user)
            self.handler = handler(peer.middleware)
            self._check()

    def settings(self) -> Any:
        from django.test import override_settings

        return override_settings(**self.peer.settings)

    def ask(self) -> bytes:
        return ask(self.handler, self.peer.path, self.headers)

    def _check(self) -> None:
        """Stop if a peer answers nobody, or asks the database more or less often than it is said to."""
        for _ in range(3):  # the first loads what is remembered; once a second, ours asks what is revoked
            body, statements = rounds.counted(self.ask)
            if (body, len(statements)) == (b"alice", self.peer.queries):
                return
        raise SystemExit(f"{self.peer.name} answered {body!r} with {len(statements)} queries: {statements}")


def handler(middleware: tuple[str, ...]) -> Callable[..., Any]:
    from django.core.handlers.wsgi import WSGIHandler
    from django.test import override_settings

    with override_settings(MIDDLEWARE=list(middleware)):
        return WSGIHandler()


def ask(handler: Callable[..., Any], path: str, headers: dict[str, str] | None = None) -> bytes:
    environment = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "HTTP_HOST": "localhost",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
        "wsgi.errors": sys.stderr,
        **(headers or {}),
    }
    response = handler(environment, lambda *_: None)
    body = b"".join(response)
    response.close()
    return body


if __name__ == "__main__":
    main()
