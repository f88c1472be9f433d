"""Requests a second of an ASGI server while many connections wait for it, each for an async view.

`python -m lab.benchmarks.connected PEER` signs Alice in, and says how she is known; with a socket's number behind it,
it is the server, uvicorn.
"""

from __future__ import annotations

import json
import resource
import socket
import sys
from contextlib import ExitStack
from statistics import median

from . import parts, peers, rounds
from .load import Load, page, pinned
from .report import Figure, Goal, Line, at_least
from .server import PYTHON, Server

TITLE = "An ASGI server with 1,000 open connections"
NOTE = "Requests a second of an async view on PostgreSQL, one core; the ratio says how many times as many ours are."
OURS = "Sojourn, signed in"
# Each request has a thread of its own if it needs one, and would have a connection: these share ten.
POOL = {"max_size": 10, "timeout": 120}


def _ours(*middleware: str, path: str = "/async/hello/") -> peers.Peer:
    return peers.Peer("", peers.by_tokens, middleware, {"SESSION_ENGINE": f"{peers.ENGINES}.signed_cookies"}, path)


def _sessions(engine: str) -> peers.Peer:
    settings = {"SESSION_ENGINE": f"{peers.ENGINES}.{engine}"}
    return peers.Peer("", peers.by_session, (peers.SESSIONS, peers.USERS), settings, "/async/auser/")


PEERS = {
    OURS: _ours(peers.TOKENS),
    "Sojourn, beside SessionMiddleware": _ours(peers.SESSIONS, peers.TOKENS),
    "Sojourn, its user loaded by request.auser()": _ours(peers.TOKENS, path="/async/auser/"),
    "Django sessions, database": _sessions("db"),
    "Django sessions, cached_db on Redis": _sessions("cached_db"),
    "The bare view": _ours(path="/async/bare/"),
}


def goal(environment: dict[str, str], effort: rounds.Effort) -> Goal:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # for the connections, here and in the servers
    known: dict[peers.SignIn, tuple[dict[str, str], str]] = {}
    asked = {}
    with ExitStack() as stack, pinned(0):
        for name, peer in PEERS.items():
            if peer.sign_in not in known:
                own = parts.database(environment, f"connected{len(known)}")
                known[peer.sign_in] = own, rounds.told("connected", name, environment=own)
            own, jar = known[peer.sign_in]
            command = (*PYTHON, "-m", "lab.benchmarks.connected", name, "{fd}")
            port = stack.enter_context(Server(own, "/async/bare/", command)).port
            asked[name] = Load(port, page(peer.path, jar), b"\r\nalice\r\n0\r\n\r\n", effort.connections)
        with pinned(-1):
            turns = [{name: load.rate() for name, load in asked.items()} for _ in range(min(3, effort.rounds))]
    rates = {name: median(turn[name] for turn in turns) for name in asked}
    return Goal(TITLE, NOTE, [_line(name, rate, rates[OURS] / rate) for name, rate in rates.items()])


def _line(name: str, rate: float, ratio: float) -> Line:
    compared = (ratio, at_least(1.8)) if name.startswith("Django") else (None, None)
    return Line(name, Figure(rate, "/s"), *compared)


def main() -> None:
    name, *fd = sys.argv[1:]
    peer = PEERS[name]
    apps = ("tokens",) if peer.sign_in is peers.by_tokens else ()
    peers.configure(peers.Stack("postgresql", apps, (), {"MIDDLEWARE": list(peer.middleware), **peer.settings}))
    if fd:
        serve(int(fd[0]))
    else:
        peers.create_tables()
        print(json.dumps(peer.sign_in(peers.alice())["HTTP_COOKIE"]))


def serve(fd: int) -> None:
    import uvicorn
    from django.core.asgi import get_asgi_application
    from django.db import connections

    connections.settings["default"] |= {"CONN_MAX_AGE": 0, "OPTIONS": {"pool": POOL}}
    server = uvicorn.Server(uvicorn.Config(get_asgi_application(), access_log=False, lifespan="off"))
    server.run([socket.socket(fileno=fd)])


if __name__ == "__main__":
    main()
