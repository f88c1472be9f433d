"""What a refresh costs on PostgreSQL, beside the two statements that it is made of, in small tables and in large ones.

`python -m lab.benchmarks.refreshed sojourn|floor|simplejwt TABLE` is a contender. Ours are requests through Django's
handler, above the bare view; simplejwt's is its serializer, with rotation and blacklist; the floor is the same SELECT
and the same guarded UPDATE by psycopg alone. Ours and the floor take other rows each time.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from time import sleep
from typing import Any
from uuid import UUID

from . import parts, peers, rounds, rows, signed_in
from .report import Figure, Goal, Line, at_least, at_most, micro

TITLE = "A refresh and its confirmation"
NOTE = "On PostgreSQL; the ratio is to the floor in the same table, unless it is said."
TIMEOUT = 1_200  # seconds, to fill a table
POOLED = "by pgbouncer"

Measure = Callable[[int], rounds.Figures]


def goal(environment: dict[str, str], effort: rounds.Effort) -> Goal:
    tables = {number: rows.filled(environment, number, TIMEOUT) for number in effort.rows}
    own = parts.database(environment, "simplejwt")
    contenders = [rounds.Contender("refreshed", "simplejwt", "0", environment=own)]
    for number, table in tables.items():
        for who in ("sojourn", "floor"):
            contenders.append(rounds.Contender("refreshed", who, str(number), environment=table.environment))
    with parts.pooled(tables[effort.rows[0]].environment) as pooled:
        contenders.append(rounds.Contender("refreshed", "sojourn", POOLED, environment=pooled))
        found = rounds.compare(contenders, effort.rounds, effort.times)
    sleep(1.2 if effort.rounds > 1 else 0)  # PostgreSQL counts what idle connections did within a second
    lines = [line for number in tables for line in _of_table(found, number)]
    lines += _beside(found, *(effort.rows[place] for place in (0, -1))) + _statements(found)
    return Goal(TITLE, NOTE, lines + _sizes(tables), "refreshed")


def _of_table(found: rounds.Figures, number: int) -> list[Line]:
    hand, both, select, floor = (found[f"{what} {number}"] for what in ("hand", "both", "select", "floor"))
    table = f"{number:,} rows"
    return [
        Line(f"Sojourn, a refresh, {table}", micro(hand), hand / select),
        Line(f"Sojourn, with its confirmation, {table}", micro(both), both / floor, at_most(3)),
        Line(f"Floor: SELECT, {table}", micro(select)),
        Line(f"Floor: SELECT and UPDATE, {table}", micro(floor)),
    ]


def _beside(found: rounds.Figures, least: int, most: int) -> list[Line]:
    """Return our lines beside simplejwt's, and in the largest table or with pgbouncer beside the smallest without."""
    theirs, (ours, largest, pooled) = found["simplejwt 0"], (found[f"both {table}"] for table in (least, most, POOLED))
    return [
        Line("simplejwt, rotation and blacklist", micro(theirs), theirs / found[f"floor {least}"]),
        Line("… how many of ours, confirmation included, that is", micro(ours), theirs / ours, at_least(6)),
        Line(f"… from {least:,} to {most:,} rows", micro(largest), largest / ours, at_most(1.5)),
        Line("… with pgbouncer between, in transaction mode", micro(pooled), pooled / ours, at_most(2)),
    ]


def _statements(found: rounds.Figures) -> list[Line]:
    return [
        Line("Statements of a refresh", Figure(found["queries of hand"], ""), goal=at_most(2, "")),
        Line("Statements of a refresh that confirms", Figure(found["queries of both"], ""), goal=at_most(2, "")),
        Line("Statements of simplejwt's", Figure(found["queries of simplejwt"], "")),
    ]


def _sizes(tables: dict[int, rows.Table]) -> list[Line]:
    grown = max((number for number in tables if number <= rows.GROWN), default=min(tables))
    updated, hot = rows.updates(tables[max(tables)].environment)
    return [
        Line("A row, with an ordinary user agent", Figure(tables[grown].row, "bytes"), goal=at_most(400, "bytes")),
        Line("Its indexes", Figure(tables[grown].indexes, "bytes"), goal=at_most(200, "bytes")),
        *(Line(f"… {name}", Figure(size, "bytes")) for name, size in tables[grown].each.items()),
        Line(f"HOT, of {updated:,} updates", Figure(100 * hot / max(1, updated), "%"), goal=at_least(95, "%")),
    ]


def main() -> None:
    who, number = sys.argv[1:]
    peers.configure(SIMPLEJWT if who == "simplejwt" else rows.STACK)
    measure: Measure = {"sojourn": sojourn, "simplejwt": simplejwt, "floor": floor}[who]()

    def numbered(times: int) -> rounds.Figures:
        return {
            name if name.startswith("queries") else f"{name} {number}": each for name, each in measure(times).items()
        }

    rounds.serve(numbered)


def sojourn() -> Measure:
    from tokens import issuing
    from tokens.conf import conf
    from tokens.core import jwt

    from .signed_in import ask

    handler, bare = signed_in.handler((peers.SESSIONS, peers.TOKENS)), signed_in.handler(())

    def jar(claims: Any) -> dict[str, str]:
        return {"HTTP_COOKIE": f"__Host-refresh={jwt.write_refresh(claims, ring=conf.key_ring, issuer=conf.issuer)}"}

    def confirmed(row: Any) -> dict[str, str]:
        return jar(issuing.root_refresh(row))

    def settled(row: Any) -> dict[str, str]:
        """Return a child that has not been used, and is old enough to be confirmed by that."""
        child = issuing.next_refresh(row, issuing.root_refresh(row))
        return jar(replace(child, jti=_older(child.jti), iat=child.iat - 600))

    def cost(made: Callable[[Any], dict[str, str]], times: int) -> float:
        jars = iter([made(row) for row in rows.some(times)])
        below, whole = rounds.above(
            lambda: ask(bare, "/pages/bare/"), lambda: ask(handler, "/pages/hello/", next(jars)), times
        )
        return whole - below

    def statements(made: Callable[[Any], dict[str, str]]) -> int:
        """Return the least of three counts: once a second, a request also asks what is revoked."""
        jars = [made(row) for row in rows.some(3)]
        return min(len(rounds.counted(lambda jar=jar: ask(handler, "/pages/hello/", jar))[1]) for jar in jars)  # type: ignore[misc]

    counts = {"queries of hand": statements(confirmed), "queries of both": statements(settled)}
    return lambda times: {"hand": cost(confirmed, times), "both": cost(settled, times), **counts}


SIMPLEJWT = peers.Stack(
    "postgresql",
    ("rest_framework", "rest_framework_simplejwt", "rest_framework_simplejwt.token_blacklist"),
    (),
    {"SIMPLE_JWT": {"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True}},
)


def simplejwt() -> Measure:
    """Return what refreshes with simplejwt: the token of each answer is the next one's."""
    peers.create_tables()
    from rest_framework_simplejwt.serializers import TokenRefreshSerializer
    from rest_framework_simplejwt.tokens import RefreshToken

    token = str(RefreshToken.for_user(peers.alice()))

    def refresh() -> None:
        nonlocal token
        serializer = TokenRefreshSerializer(data={"refresh": token})
        serializer.is_valid(raise_exception=True)
        token = serializer.validated_data["refresh"]

    count = len(rounds.counted(refresh)[1])
    return lambda times: {"simplejwt": rounds.least(refresh, times), "queries of simplejwt": count}


SELECT = (
    "SELECT * FROM tokens_refreshtoken t LEFT JOIN auth_user u ON u.id = t.user_id WHERE t.id = %s AND t.user_id = %s"
)
UPDATE = (
    "UPDATE tokens_refreshtoken SET generation = generation + 1, jti = %s"
    " WHERE id = %s AND generation < %s AND revoked_at IS NULL"
)


def floor() -> Measure:
    """Return what runs the two statements alone: prepared by the server after a few uses, each its own transaction."""
    import psycopg

    connection = psycopg.connect(parts.connection(os.environ["BENCHMARKS_POSTGRESQL"]), autocommit=True)

    def select(row: Any) -> None:
        connection.execute(SELECT, (row.pk, row.user_id)).fetchone()

    def both(row: Any) -> None:
        select(row)
        connection.execute(UPDATE, (row.jti, row.pk, 2**30))

    def cost(act: Callable[[Any], None], times: int) -> float:
        drawn = iter(list(rows.some(times)))
        return rounds.least(lambda: act(next(drawn)), times)

    return lambda times: {"select": cost(select, times), "floor": cost(both, times)}


def _older(jti: str) -> str:
    """Return the same id as of ten minutes ago: a UUIDv7 begins with its milliseconds (RFC 9562 §5.7)."""
    return str(UUID(int=UUID(jti).int - (600_000 << 80)))


if __name__ == "__main__":
    main()
