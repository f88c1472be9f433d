"""Compare what the server takes with what the database and the container give.

`migrate` and `check --database default` ask the database; the units and the compose file run one of them at each start.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import Error, connection

THREADS, FEWEST_THREADS = 64, 4  # of a server, and of each of its workers
WORKER_MEMORY = 75  # MiB, measured as are those
HASHING_MEMORY = 154  # MiB of two processes that hash (accounts/security/hash_process.py)
MEMORY_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))

# How many connections we may open, and the process that serves this one; a pooler names another to its clients.
QUERIES = {
    "postgresql": """
        SELECT least(
            current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
                - coalesce(current_setting('reserved_connections', true)::int, 0),
            nullif(rolconnlimit, -1),
            nullif(datconnlimit, -1)
        ), pg_backend_pid()
        FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()
    """,
    "mysql": "SELECT @@max_connections, NULL",
}


def workers() -> int:
    """Return how many workers the environment asks gunicorn for."""
    number = os.environ.get("WEB_CONCURRENCY", "")
    return max(1, int(number)) if number.isdigit() else 1


def threads(workers: int) -> int:
    """Return how many threads each worker has, as in ops/gunicorn.conf.py, which cannot import this."""
    return max(FEWEST_THREADS, THREADS // workers)


@register(Tags.database)
def check_connections(databases: Sequence[str] | None = None, **_: Any) -> Iterator[CheckMessage]:
    """Yield W006 if there are too few connections for all threads, and W007 if a pooler would lose our cursors."""
    if "default" not in (databases or ()) or connection.vendor not in QUERIES:
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute(QUERIES[connection.vendor])
            limit, process = cursor.fetchone()
    except Error:  # Whoever starts the server without its database learns it from /readyz.
        return
    if process and process != connection.connection.info.backend_pid:
        yield from _check_pooler()
        return  # How many connections it takes is not known.
    needed = workers() * (threads(workers()) + 1)  # one more for mails
    if needed > limit:
        yield Warning(
            f"WEB_CONCURRENCY is {workers()}, so this server can open {needed} connections, but the database allows "
            f"{limit}: the others would fail.",
            hint="Lower WEB_CONCURRENCY, raise max_connections, or use a pooler (docs/howto/databases.md).",
            id="project.W006",
        )


def _check_pooler() -> Iterator[CheckMessage]:
    if not connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS"):
        yield Warning(
            "DATABASE_URL leads to a connection pooler, which loses cursors if it pools transactions.",
            hint="Add ?DISABLE_SERVER_SIDE_CURSORS=true to DATABASE_URL.",
            id="project.W007",
        )


@register()
def check_memory(**_: object) -> Iterator[CheckMessage]:
    """Yield W008 if the container has too little memory for all workers to hash passwords at once."""
    needed = workers() * (WORKER_MEMORY + HASHING_MEMORY)
    limit = memory_limit()
    if limit is not None and needed > limit:
        yield Warning(
            f"WEB_CONCURRENCY is {workers()}, so this server can take {needed} MiB, but its container has {limit}: "
            "a burst of sign-ins would end it.",
            hint="Lower WEB_CONCURRENCY, or give the container more memory (docs/howto/databases.md).",
            id="project.W008",
        )


def memory_limit() -> int | None:
    """Return the memory that the container may take, in MiB; None if there is no limit."""
    for path in MEMORY_LIMITS:
        try:
            return int(path.read_text()) >> 20
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return None
