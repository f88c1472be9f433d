"""Tables of sign-ins as large as one likes, on PostgreSQL.

`python -m benchmarks.rows NUMBER` fills the database of the environment, and says how many bytes a row takes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

from . import parts, peers, rounds

STACK = peers.Stack("postgresql", ("tokens",), (), {"SESSION_ENGINE": f"{peers.ENGINES}.signed_cookies"})
USER_AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
)
EACH = 2  # sign-ins of a person

PEOPLE = """
    INSERT INTO auth_user
        (username, password, is_superuser, first_name, last_name, email, is_staff, is_active, date_joined)
    SELECT 'person' || n, password, false, '', '', '', false, true, now() FROM auth_user, generate_series(1, %s) n
    WHERE username = 'alice'"""

# As they come in life: keys in no order, so that the indexes grow as they do there.
DRAWN = {
    "id": "gen_random_uuid()",
    "jti": "gen_random_uuid()",
    "user_id": f"t.user_id + 1 + (n - 1) / {EACH}",
    "expires_at": "t.expires_at + random() * interval '1 day'",
}


def filled(environment: dict[str, str], rows: int, patience: float) -> tuple[dict[str, str], dict[str, float]]:
    """The environment of a new database with so many sign-ins, and the bytes of each: {"row": ..., "indexes": ...}."""
    own = parts.database(environment, f"rows{rows}")
    sizes = rounds.told("rows", str(rows), environment=own, patience=patience)
    return own, sizes


def main() -> None:
    rows = int(sys.argv[1])
    peers.configure(STACK)
    from django.db import connection

    fill(rows)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_relation_size('tokens_refreshtoken'), pg_indexes_size('tokens_refreshtoken')")
        heap, indexes = cursor.fetchone()
    print(json.dumps({"row": heap / rows, "indexes": indexes / rows}))


def fill(rows: int) -> None:
    """Copies of one real sign-in of Alice's, two for each of other people; she keeps hers."""
    from django.db import connection

    from tokens.models import RefreshToken

    first = RefreshToken.objects.start(peers.alice(), persistent=True, user_agent=USER_AGENT, address="203.0.113.7")
    columns = [field.column for field in RefreshToken._meta.concrete_fields]
    drawn = ", ".join(DRAWN.get(column, f"t.{column}") for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(PEOPLE, [-(-rows // EACH)])
        cursor.execute(
            f"INSERT INTO tokens_refreshtoken ({', '.join(columns)})"  # noqa: S608
            f" SELECT {drawn} FROM tokens_refreshtoken t, generate_series(1, %s) n WHERE t.id = %s",
            [rows, first.pk],
        )
        cursor.execute("VACUUM ANALYZE")


def some(number: int) -> Iterator[Any]:
    """Live sign-ins, drawn anew each time."""
    from tokens.models import RefreshToken

    for _ in range(number):
        yield RefreshToken.objects.filter(pk__gte=uuid4()).order_by("pk").first() or RefreshToken.objects.first()


def updates(environment: Mapping[str, str]) -> tuple[int, int]:
    """How many rows of sign-ins were updated so far, and how many of those without touching an index (HOT)."""
    import psycopg

    with psycopg.connect(parts.connection(environment["BENCHMARKS_POSTGRESQL"]), autocommit=True) as connection:
        found = connection.execute(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'tokens_refreshtoken'"
        ).fetchone()
    return found or (0, 0)


if __name__ == "__main__":
    main()
