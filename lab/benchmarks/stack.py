"""What all middlewares of the site cost a request, beside the seven that a fresh project of Django's begins with.

In process, on one PostgreSQL. `python -m lab.benchmarks.stack OURS|FRESH` is a contender.
"""

from __future__ import annotations

import sys
from functools import partial

from . import parts, peers, people, rounds
from .report import Goal, Line, at_most, micro
from .signed_in import ask, handler

TITLE = "The site's own stack"
NOTE = "All middlewares, above the bare view, in process; the ratio says how many times those of a fresh project it is."
OURS, FRESH = "Sojourn's stack", "A fresh project's, sessions on PostgreSQL"
WHO = {"signed in": b"alice", "nobody signed in": b"nobody"}
# With nobody signed in, what a fresh project lacks is dearer than what tokens save: languages, metrics, more headers.
GOALS = {"signed in": at_most(1.16), "nobody signed in": at_most(1.6)}
SEVEN = (
    "django.middleware.security.SecurityMiddleware",
    peers.SESSIONS,
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    peers.USERS,
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
)


def goal(environment: dict[str, str], effort: rounds.Effort) -> Goal:
    fresh = parts.database(environment, "fresh")
    contenders = [
        rounds.Contender("stack", name, environment=own) for name, own in ((OURS, environment), (FRESH, fresh))
    ]
    found = rounds.compare(contenders, effort.rounds, effort.times)
    lines = []
    for who in WHO:
        mine, theirs = found[f"{OURS}, {who}"], found[f"{FRESH}, {who}"]
        lines += [
            Line(f"{OURS}, {who}", micro(mine), mine / theirs, GOALS[who]),
            Line(f"{FRESH}, {who}", micro(theirs), 1),  # with a ratio it belongs on the page
        ]
    return Goal(TITLE, NOTE, lines)


def main() -> None:
    name = sys.argv[1]
    stack, signed_in = ours() if name == OURS else fresh()
    bare, asked = handler(()), handler(stack)
    headers: dict[str, dict[str, str]] = dict(zip(WHO, (signed_in, {}), strict=True))
    for who, body in WHO.items():
        if ask(asked, "/pages/hello/", headers[who]) != body:
            raise SystemExit(f"{name} does not answer {body!r}.")

    def measure(times: int) -> rounds.Figures:
        answer = {}
        for who, sent in headers.items():
            floor, cost = rounds.above(
                partial(ask, bare, "/pages/bare/"), partial(ask, asked, "/pages/hello/", sent), times
            )
            answer[f"{name}, {who}"] = cost - floor
        return answer

    rounds.serve(measure)


def ours() -> tuple[tuple[str, ...], dict[str, str]]:
    """Return all middlewares, and the headers of Alice."""
    user = people.alice()
    from django.conf import settings

    return tuple(settings.MIDDLEWARE), peers.by_tokens(user)


def fresh() -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the same of what `startproject` makes."""
    peers.configure(peers.Stack("postgresql", ("django.contrib.messages",), ()))
    peers.create_tables()
    return SEVEN, peers.by_session(peers.alice())


if __name__ == "__main__":
    main()
