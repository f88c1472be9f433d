"""What sessions take of a PostgreSQL, for docs/explanation/scale.md: bytes of a row, its indexes and its WAL.

    python -m lab.benchmarks.scale [500000]

The site's own tables, in a server of this measurement's own. Full pages are not written to WAL there: what the first
change of a page after a checkpoint adds depends on checkpoints alone, and the document reckons it by itself.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any
from uuid import uuid4

from . import crowd, parts

PEOPLE_EACH = 2  # sign-ins of a person
DRAWN = 2_000  # of each kind of write
ROUNDS = 24  # of confirmations, each of every twentieth sign-in
ROWS = """
    INSERT INTO tokens_refreshtoken (id, user_id, generation, jti, version, auth_hash, probe_count, remember, is_app,
        method, backend, name, browser, user_agent, ip_address, created_at, last_used_at, authenticated_at, expires_at,
        reason)
    SELECT gen_random_uuid(), md5((n %% %s + 1)::text)::uuid, 1, gen_random_uuid(), 0, repeat('0', 64), 0, true, false,
        'password', '', '', 'chrome', 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)'
            ' Chrome/142.0.0.0 Safari/537.36',
        '203.0.113.0'::inet + (random() * 1000000)::int, at, at, at, at + interval '30 days', ''
    FROM (SELECT n, now() - interval '30 days' * (1 - n::float / %s) AS at FROM generate_series(1, %s) n) drawn"""
INDEXES = """
    SELECT indexrelname, pg_relation_size(indexrelid) FROM pg_stat_user_indexes
    WHERE relname = 'tokens_refreshtoken' ORDER BY 2 DESC"""


def main() -> None:
    from tests import postgres

    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 500_000
    with postgres.running() as url, tempfile.TemporaryDirectory() as folder:
        parts.load(url, folder)
        fill(rows)
        show_sizes(rows)
        show_writes()
        for fillfactor in (100, 90, 80):
            show_hot(fillfactor)
        show_end()


def fill(rows: int) -> None:
    people = rows // PEOPLE_EACH
    crowd.make_people(people)
    asked(ROWS, people, rows, rows)
    asked("VACUUM ANALYZE")


def show_sizes(rows: int) -> None:
    [(heap,)] = asked("SELECT pg_relation_size('tokens_refreshtoken')")
    print(f"A row: {heap / rows:,.0f} bytes. Its entries in indexes:")
    sizes = asked(INDEXES)
    for name, size in sizes:
        print(f"  {name}: {size / rows:,.1f}")
    print(f"  together: {sum(size for _, size in sizes) / rows:,.0f}")


def show_writes() -> None:
    from tokens.core import rotation
    from tokens.models import RefreshToken

    rows = list(RefreshToken.objects.filter(pk__gt=uuid4(), user__is_active=True).select_related("user")[:DRAWN])
    moved = rotation.Refresh(2, rotation.new_jti(0))
    told("a confirmation", rows, lambda row: RefreshToken.objects.confirm(str(row.pk), moved))
    told("a stamp of `last_used_at`", rows, lambda row: row.touch())
    told("a sign-in", rows, lambda row: RefreshToken.objects.start(row.user, remember=True))
    told("an end", rows, lambda row: row.revoke("signed_out"))
    told("a deletion", rows, lambda row: RefreshToken.objects.filter(pk=row.pk).delete())


def told(what: str, rows: Iterable[Any], write: Callable[[Any], object]) -> None:
    """Print the WAL of one write, in bytes."""
    [(before,)] = asked("SELECT pg_current_wal_insert_lsn()")
    number = sum(write(row) is not False for row in rows)
    [(spent,)] = asked("SELECT pg_current_wal_insert_lsn() - %s::pg_lsn", before)
    print(f"WAL of {what}: {spent / number:,.0f} bytes")


def show_hot(fillfactor: int) -> None:
    """Print how many confirmations touch no index (HOT), and by how much the table has grown in the end."""
    asked("ALTER TABLE tokens_refreshtoken SET (fillfactor = %s)" % fillfactor)  # noqa: UP031
    asked("VACUUM FULL tokens_refreshtoken")
    [(rows, size)] = asked("SELECT count(*), pg_relation_size('tokens_refreshtoken') FROM tokens_refreshtoken")
    [(updated, hot)] = asked(COUNTED)
    for generation in range(ROUNDS):
        asked(
            "UPDATE tokens_refreshtoken SET generation = %s, jti = gen_random_uuid()"
            " WHERE id IN (SELECT id FROM tokens_refreshtoken TABLESAMPLE BERNOULLI (5) REPEATABLE (%s))",
            generation,
            generation,
        )
        if not generation % 6:
            asked("VACUUM tokens_refreshtoken")
    asked("SELECT pg_stat_force_next_flush()")
    [(updated_then, hot_then)] = asked(COUNTED)
    [(grown,)] = asked("SELECT pg_relation_size('tokens_refreshtoken')")
    share = (hot_then - hot) / (updated_then - updated)
    print(f"fillfactor {fillfactor}: {size / rows:,.0f} bytes a row, {share:.0%} HOT, grown by {grown / size - 1:.0%}")


COUNTED = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'tokens_refreshtoken'"


def show_end() -> None:
    from django.core.management import call_command

    began = perf_counter()
    call_command("endsessions", "--all")
    print(f"The end of all, in {perf_counter() - began:,.0f} s.")


def asked(statement: str, *values: Any) -> list[Any]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


if __name__ == "__main__":
    main()
