"""What the pages of the admin cost with 100,000 people, 1,000,000 sessions and 1,000,000 events, on PostgreSQL.

    python -m lab.benchmarks.admin [--people 100000] [--rows 1000000] [--runs 7]

Prints for each page its queries, the milliseconds for which the site's process and the database's computed, and those
that a whole request took, from the first middleware to the last, without a network: the median of the runs, asked for
by a superuser. Two of these together say what the page costs on this machine alone, and what it does beside all else
that the machine has to do. The server is one of its own (tests/postgres.py) with PostgreSQL's own settings for memory,
and no helpers for a query, so that its work is that of one process. Linux alone tells how long a process computed.

Ends with an error if a page is over the bounds below, which hold on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from datetime import timedelta
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from lab.benchmarks import parts
from lab.benchmarks.crowd import fill
from tests import postgres

MOST_QUERIES, MOST_MS = 20, 300

PEOPLE, SESSIONS, EVENTS = "/admin/accounts/user/", "/admin/tokens/refreshtoken/", "/admin/accounts/securityevent/"
PAGES = (
    ("Front page", "/admin/"),
    ("People", PEOPLE),
    ("· page 500", f"{PEOPLE}?p=500"),
    ("· search, part of a name", f"{PEOPLE}?q=person7777"),
    ("· search, nobody", f"{PEOPLE}?q=nobody%40example"),
    ("· by when they joined", f"{PEOPLE}?o=-7"),
    ("· closed", f"{PEOPLE}?is_active__exact=0"),
    ("· staff", f"{PEOPLE}?is_staff__exact=1"),
    ("· a person", f"{PEOPLE}{{person}}/change/"),
    ("· a person, to be deleted", f"{PEOPLE}{{person}}/delete/"),
    ("Sessions", SESSIONS),
    ("· page 40, the last", f"{SESSIONS}?p=40"),
    ("· live", f"{SESSIONS}?state=live"),
    ("· ended", f"{SESSIONS}?state=ended"),
    ("· of the last hour", f"{SESSIONS}?age=hour"),
    ("· older than 30 days", f"{SESSIONS}?age=older"),
    ("· a copy was used (1 in 10,000)", f"{SESSIONS}?reason=reused"),
    ("· signed out", f"{SESSIONS}?reason=signed_out"),
    ("· Firefox", f"{SESSIONS}?browser=firefox"),
    ("· programs (1 in 200)", f"{SESSIONS}?browser=other"),
    ("· Opera (none)", f"{SESSIONS}?browser=opera"),
    ("· by API (1 in 40), ended, Chrome", f"{SESSIONS}?method=api&state=ended&browser=chrome"),
    ("· in another way (none)", f"{SESSIONS}?method=other"),
    ("· search, a name", f"{SESSIONS}?q=Person7777"),
    ("· search, an IP address", f"{SESSIONS}?q=10.7.49.91"),
    ("· search, an id", f"{SESSIONS}?q={{session}}"),
    ("· of one person, live", f"{SESSIONS}?user__id__exact={{person}}&state=live"),
    ("· a session", f"{SESSIONS}{{session}}/change/"),
    ("Events", EVENTS),
    ("· page 40, the last", f"{EVENTS}?p=40"),
    ("· failed sign-ins", f"{EVENTS}?kind__exact=sign_in_failed"),
    ("· a copy was used (1 in 10,000)", f"{EVENTS}?kind__exact=reuse_found"),
    ("· by administrators (1 in 1,000)", f"{EVENTS}?actor=admin"),
    ("· of one day", f"{EVENTS}?since={{day}}&until={{day}}"),
    ("· failed, of one day", f"{EVENTS}?kind__exact=sign_in_failed&since={{day}}&until={{day}}"),
    ("· search, a name", f"{EVENTS}?q=person7777%40example.org"),
    ("· search, an IP address", f"{EVENTS}?q=10.7.49.91"),
    ("· search, a session", f"{EVENTS}?q={{session}}"),
    ("· an event", f"{EVENTS}{{event}}/change/"),
    ("Outgoing mails", "/admin/accounts/outgoingmail/"),
    ("Groups", "/admin/auth/group/"),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m lab.benchmarks.admin")
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of sessions, and of events")
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    with postgres.running() as url, tempfile.TemporaryDirectory() as folder:
        parts.load(url, folder)
        leave_names()
        fill(options.people, options.rows)
        over = report(options.runs)
    if over:
        raise SystemExit(f"Over {MOST_QUERIES} queries or {MOST_MS} ms: {', '.join(over)}.")


def leave_names() -> None:
    """Let style sheets keep their names: they were not collected."""
    from django.conf import settings
    from django.test import override_settings

    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    override_settings(STORAGES={**settings.STORAGES, "staticfiles": plain}).enable()


def report(runs: int) -> list[str]:
    """Print a line for each page, and return the addresses of those that cost too much."""
    from accounts.models import User
    from tokens.testing import Client

    client = Client()
    client.force_login(User.objects.create_superuser("admin", "admin@example.org"))
    places, over = keys(), []
    print("| page | queries | ms, computed | ms, taken |\n|---|---|---|---|")
    for name, path in PAGES:
        queries, computed, taken = cost(client, path.format(**places), runs)
        print(f"| {name} | {queries} | {computed:.0f} | {taken:.0f} |", flush=True)
        over += [path] if queries > MOST_QUERIES or computed > MOST_MS else []
    return over


def keys() -> dict[str, Any]:
    """Return what the addresses of single rows, and of a day, are made with."""
    from django.utils import timezone

    from accounts.models import SecurityEvent, User
    from tokens.models import RefreshToken

    person = User.objects.get(username="person7777")
    session = RefreshToken.objects.filter(user=person).latest("created_at")
    event = SecurityEvent.objects.filter(user=person).latest("created_at")
    day = timezone.localdate() - timedelta(days=20)
    return {"person": person.pk, "session": session.pk, "event": event.pk, "day": day}


def cost(client: Any, path: str, runs: int) -> tuple[int, float, float]:
    """Return the queries of a page, and the median milliseconds: computed, and taken. It is requested once before."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with connection.cursor() as cursor:
        cursor.execute("SET max_parallel_workers_per_gather = 0")
        cursor.execute("SELECT pg_backend_pid()")
        both = [os.getpid(), cursor.fetchone()[0]]
    computed, taken = [], []
    for _ in range(runs + 1):
        with CaptureQueriesContext(connection) as queries:
            before, began = sum(map(milliseconds, both)), perf_counter()
            answer = client.get(path)
            taken.append(1000 * (perf_counter() - began))
            computed.append(sum(map(milliseconds, both)) - before)
        if answer.status_code != 200:
            raise SystemExit(f"{path} answers {answer.status_code}.")
    return len(queries), median(computed[1:]), median(taken[1:])


def milliseconds(process: int) -> float:
    """Return for how long a process has been on a processor."""
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e6


if __name__ == "__main__":
    main()
