"""Many sign-ins of one person: the page that lists them, and their end. The whole site, in process, on PostgreSQL.

`python -m lab.benchmarks.many SESSIONS` is a contender.
"""

from __future__ import annotations

import sys
from time import perf_counter
from typing import Any

from . import parts, people, rounds, rows
from .report import Figure, Goal, Line, at_most, milli

TITLE = "Many sign-ins of one person"
NOTE = "The whole site in process, on PostgreSQL; the page as it is sent, from the first middleware to the last."
LISTED = 100


def goal(environment: dict[str, str], effort: rounds.Effort) -> Goal:
    own = parts.site(parts.database(environment, "many", template="site"))
    contender = rounds.Contender("many", str(effort.sessions), environment=own)
    found = rounds.compare([contender], effort.rounds, max(1, effort.times // 20))
    ended = f"Ending {effort.sessions:,}"
    lines = [
        Line(f"The sessions page with {LISTED}", milli(found["page"]), goal=at_most(30, "ms")),
        Line("Its statements", Figure(found["page statements"], ""), goal=at_most(4, "")),
        Line(ended, milli(found["end"])),
        Line(f"{ended}: statements that change them", Figure(found["end updates"], ""), goal=at_most(1, "")),
        Line(f"{ended}: all statements, the lock of the person among them", Figure(found["end statements"], "")),
    ]
    return Goal(TITLE, NOTE, lines)


def main() -> None:
    number = int(sys.argv[1])
    user = people.alice()
    from django.conf import settings
    from django.core.management import call_command

    from tokens.models import RefreshToken
    from tokens.testing import Client

    settings.WHITENOISE_AUTOREFRESH = False
    call_command("collectstatic", verbosity=0, interactive=False)
    client = Client()
    client.force_login(user)
    fill(user, LISTED - 1)

    def show() -> bytes:
        answer = client.get("/accounts/sessions/")
        if answer.status_code != 200:
            raise SystemExit(f"The sessions page answers {answer.status_code}.")
        return bytes(answer.content)

    def end() -> None:
        ended = RefreshToken.objects.revoke_for([crowded], RefreshToken.Reason.ENDED)
        if ended != number:
            raise SystemExit(f"{ended} sessions ended, of {number}.")

    crowded = type(user).objects.create_user("crowded", "crowded@example.org", None)

    def measure(times: int) -> rounds.Figures:
        fill(crowded, number)
        began = perf_counter()
        end()
        return {"page": rounds.least(show, times), "end": perf_counter() - began, **counts}

    show()
    counts = {"page statements": _least(show)}
    fill(crowded, number)
    _, statements = rounds.counted(end)
    updates = [sql for sql in statements if sql.startswith('UPDATE "tokens_refreshtoken"')]
    transactions = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")
    counts["end updates"] = len(updates)
    counts["end statements"] = sum(not sql.startswith(transactions) for sql in statements)
    rounds.serve(measure)


def fill(user: Any, number: int) -> None:
    """Insert so many sessions of `user`, each from a browser of its own sort."""
    from tokens.models import RefreshToken

    about = {"method": RefreshToken.Method.PASSWORD, "user_agent": rows.USER_AGENT, "ip_address": "203.0.113.7"}
    first = RefreshToken.objects.start(user, **about)
    agent, address = "replace(t.user_agent, '142', mod(n, 142)::text)", "t.ip_address + mod(n, 200)"
    rows.copy(
        first, number - 1, last_used_at="t.last_used_at - n * interval '1 minute'", user_agent=agent, ip_address=address
    )


def _least(act: Any) -> int:
    """Return the least of three counts: once a second, a request also asks what is revoked."""
    return min(len(rounds.counted(act)[1]) for _ in range(3))


if __name__ == "__main__":
    main()
