"""Whether refreshes wait while rows of long ago are deleted: `manage.py cleartokens` beside refreshes, on PostgreSQL.

    python -m lab.benchmarks.pruning [10000000] [--seconds 300]

One process deletes. This one refreshes all the while, each time a whole request, from the first middleware to the
last, which confirms one token and hands out the next: two statements, one of them a write. Refreshes with nothing
beside them, before and after, say what the machine does by itself. A busy machine stops everybody now and then, which
says nothing of the database: so the longest of each spell of five seconds is taken, and of those the least, the median
and the greatest. Sign-ins are measured, too, since each looks for old rows of its own accord.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from math import inf
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import Any

from lab.benchmarks import parts
from tests import postgres

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = 200
CONFIRM_AFTER = 1  # seconds; no browser comes again before that
ALONE = 20  # seconds of refreshes with nothing beside them, before and after
SPELL = 5  # seconds
ONE_IN = 25  # of the browsers signs in anew
BOUND = 50  # ms
FILL = """
    INSERT INTO tokens_refreshtoken (id, generation, jti, version, auth_hash, probe_count, remember, is_app,
        method, backend, name, browser, user_agent, created_at, last_used_at, expires_at, reason)
    SELECT gen_random_uuid(), n %% 40 + 1, gen_random_uuid(), 0, repeat('0', 64), 0, true, false, 'password',
        '', '', 'firefox', 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
        at - interval '30 days', at, at, ''
    FROM (SELECT n, now() - interval '8 days' - n::float / %(rows)s * interval '60 days' AS at
        FROM generate_series(1, %(rows)s) n) drawn"""


@dataclass
class Spell:
    """How long each refresh and each sign-in took, in ms, within some seconds."""

    refreshes: list[float] = field(default_factory=list)
    sign_ins: list[float] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m lab.benchmarks.pruning")
    parser.add_argument("rows", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=inf, help="stop deleting after so many, with Ctrl-C")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored, here and in the command
    with postgres.running() as url, tempfile.TemporaryDirectory() as folder:
        parts.load(url, folder, TOKENS_CONFIRM_AFTER=str(CONFIRM_AFTER))
        fill(options.rows)
        jars = browsers()
        print(
            "| | for | refreshes | within 50 ms | median | longest, in the best spell | in most | of all | sign-ins |"
        )
        print("|---|---|---|---|---|---|---|---|---|")
        show("before", *measured(jars, until(ALONE)))
        command = subprocess.Popen([sys.executable, "manage.py", "cleartokens"], cwd=ROOT, stdout=subprocess.PIPE)
        stopped = until(options.seconds)
        longest = show("meanwhile", *measured(jars, lambda: command.poll() is not None or stopped()))
        command.send_signal(signal.SIGINT)
        show("afterwards", *measured(jars, until(ALONE)))
        said = command.communicate()[0].decode().strip()
    print(f"\n{said} Meanwhile the longest refresh of most spells took {longest:.0f} ms.")
    raise SystemExit(longest > BOUND)


def fill(rows: int) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(FILL, {"rows": rows})
        cursor.execute("VACUUM ANALYZE tokens_refreshtoken")
        cursor.execute("CHECKPOINT")


def browsers() -> list[Any]:
    """Return clients of people who have just signed in, and been seen."""
    from accounts.models import User
    from tokens.testing import Client

    clients = []
    for number in range(BROWSERS):
        client = Client()
        client.force_login(User.objects.create_user(f"person{number}", f"person{number}@example.org"))
        clients.append(client)
    return clients


def until(seconds: float) -> Callable[[], bool]:
    end = perf_counter() + seconds
    return lambda: perf_counter() > end


def measured(clients: list[Any], over: Callable[[], bool]) -> tuple[float, list[Spell]]:
    """Return for how long it went on, and the spells."""
    from accounts.models import User
    from tokens.models import RefreshToken

    others = cycle([User.objects.get_or_create(username=f"other{n}", email=f"o{n}@example.org")[0] for n in range(100)])
    began, spells = perf_counter(), list[Spell]()
    while not over():
        spells.append(Spell())
        ended = until(SPELL)
        while not ended():
            for number, client in enumerate(clients):
                spells[-1].refreshes.append(took(partial(refresh, client)))
                if number % ONE_IN == 0:
                    spells[-1].sign_ins.append(took(partial(RefreshToken.objects.start, next(others))))
            sleep(CONFIRM_AFTER)
    return perf_counter() - began, spells


def refresh(client: Any) -> None:
    """Refresh as a browser that was closed and opened: it has no access token."""
    client.cookies.pop("__Host-access", None)  # none, too, if the last answer was so late that it set nothing
    answer = client.get("/accounts/login/", secure=True)  # a redirect: pages would need the collected static files
    assert answer.headers.get("Location") == "/", answer  # noqa: S101  (who is signed in already has no use for it)


def took(act: Callable[[], object]) -> float:
    began = perf_counter()
    act()
    return 1000 * (perf_counter() - began)


def show(what: str, seconds: float, spells: list[Spell]) -> float:
    """Print one line of the table, and return the longest refresh of most spells."""
    refreshes = [each for spell in spells for each in spell.refreshes]
    sign_ins = [each for spell in spells for each in spell.sign_ins]
    longest = [max(spell.refreshes) for spell in spells]
    times = (median(refreshes), min(longest), median(longest), max(longest), median(sign_ins))
    share = sum(each <= BOUND for each in refreshes) / len(refreshes)
    cells = (what, f"{seconds:.0f} s", f"{len(refreshes):,}", f"{share:.1%}", *(f"{each:.0f} ms" for each in times))
    print("|", " | ".join(cells), "|", flush=True)
    return median(longest)


if __name__ == "__main__":
    main()
