"""Tables of sign-ins as large as one likes, on PostgreSQL.

`python -m lab.benchmarks.rows NUMBER` fills the database of the environment, and says how many bytes a row takes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from . import parts, peers, rounds

STACK = peers.Stack("postgresql", ("tokens",), (), {"SESSION_ENGINE": f"{peers.ENGINES}.signed_cookies"})
USER_AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
)
EACH = 2  # sign-ins of a person
GROWN = 1_000_000  # rows; larger tables get their indexes afterwards, which is faster, and makes these smaller

PEOPLE = """
    INSERT INTO auth_user
        (username, password, is_superuser, first_name, last_name, email, is_staff, is_active, date_joined)
    SELECT 'person' || n, password, false, '', '', '', false, true, now() FROM auth_user, generate_series(1, %s) n
    WHERE username = 'alice'"""

# As they come in life, so that the indexes grow as they do there: keys in no order, moments one after the other.
IDS = {"id": "gen_random_uuid()", "jti": "gen_random_uuid()"}
PEOPLES = {
    "user_id": f"t.user_id + 1 + (n - 1) / {EACH}",
    "created_at": "t.created_at + n * interval '0.1 second'",
    "expires_at": "t.expires_at + n * interval '0.1 second'",
    "ip_address": "'203.0.113.0'::inet + (random() * 1000000)::int",
}

INDEXES = """
    SELECT indexrelname, pg_relation_size(indexrelid) FROM pg_stat_user_indexes
    WHERE relname = 'tokens_refreshtoken' ORDER BY 2 DESC, 1"""


@dataclass(frozen=True)
class Table:
    """The environment of its database, and the bytes that a row takes there: `each` index by its name."""

    environment: dict[str, str]
    row: float
    indexes: float
    each: dict[str, float]


def filled(environment: dict[str, str], rows: int, timeout: float) -> Table:
    """Return a new database with so many sign-ins."""
    own = parts.database(environment, f"rows{rows}")
    return Table(own, **rounds.told("rows", str(rows), environment=own, timeout=timeout))


def main() -> None:
    rows = int(sys.argv[1])
    peers.configure(STACK)
    peers.create_tables(migrated=True)
    from django.db import connection

    fill(rows)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_relation_size('tokens_refreshtoken'), pg_indexes_size('tokens_refreshtoken')")
        heap, indexes = cursor.fetchone()
        cursor.execute(INDEXES)
        each = {name: size / rows for name, size in cursor.fetchall()}
    print(json.dumps({"row": heap / rows, "indexes": indexes / rows, "each": each}))


def fill(rows: int) -> None:
    """Insert copies of one real session of Alice's, two for each of other people; she keeps hers."""
    from django.db import connection

    from tokens.models import RefreshToken

    about = {"method": RefreshToken.Method.PASSWORD, "user_agent": USER_AGENT, "ip_address": "203.0.113.7"}
    first = RefreshToken.objects.start(peers.alice(), remember=True, **about)
    with connection.cursor() as cursor, indexed_afterwards(cursor) if rows > GROWN else nullcontext():
        cursor.execute("SET session_replication_role = replica")  # each row's person is there: nothing to look up
        cursor.execute(PEOPLE, [-(-rows // EACH)])
        copy(first, rows, **PEOPLES)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def copy(first: Any, number: int, **drawn: str) -> None:
    """Insert so many copies of the row `first`, or t, with other values as SQL has them; n counts."""
    from django.db import connection

    columns = [field.column for field in first._meta.concrete_fields]
    values = [(IDS | drawn).get(column, f"t.{column}") for column in columns]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO tokens_refreshtoken ({', '.join(columns)}) SELECT {', '.join(values)}"  # noqa: S608
            " FROM tokens_refreshtoken t, generate_series(1, %s) n WHERE t.id = %s",
            [number, first.pk],
        )


@contextmanager
def indexed_afterwards(cursor: Any) -> Iterator[None]:
    """Drop the indexes that hold nothing together, and create them again at the end."""
    cursor.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'tokens_refreshtoken'"
        " AND indexname NOT IN (SELECT conname FROM pg_constraint)"
    )
    found = cursor.fetchall()
    for name, _ in found:
        cursor.execute(f'DROP INDEX "{name}"')
    yield
    for _, definition in found:
        cursor.execute(definition)


def some(number: int) -> Iterator[Any]:
    """Live sign-ins, drawn anew each time."""
    from tokens.models import RefreshToken

    for _ in range(number):
        yield RefreshToken.objects.filter(pk__gte=uuid4()).order_by("pk").first() or RefreshToken.objects.first()


def updates(environment: Mapping[str, str]) -> tuple[int, int]:
    """Return how many rows of sessions were updated so far, and how many of those without touching an index (HOT)."""
    import psycopg

    with psycopg.connect(parts.connection(environment["BENCHMARKS_POSTGRESQL"]), autocommit=True) as connection:
        found = connection.execute(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'tokens_refreshtoken'"
        ).fetchone()
    return found or (0, 0)


if __name__ == "__main__":
    main()
