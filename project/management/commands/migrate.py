"""Migrate while people sign in."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import sleep
from typing import Any

from django.core.management import CommandError
from django.core.management.commands import migrate
from django.db import Error, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

LOCK_TIMEOUT = 2  # seconds, less than a request waits for a lock (project/deadlines.py)
ATTEMPTS = 20
PAUSE = 3  # seconds between two attempts, in which the requests that have waited are served
LOCK_NOT_AVAILABLE = "55P03"  # a code of PostgreSQL


class Command(migrate.Command):
    """Django's, except that on PostgreSQL no statement makes requests wait for long.

    A change of a table waits until every transaction that has read the table ends, and until then everybody who comes
    later waits behind it. So it gives up soon and tries again. It starts with the first migration that is not applied,
    so a migration that is not atomic has to bear being started twice.
    """

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate. Raise CommandError if the locks could not be had."""
        connection = connections[options["database"]]
        for _ in range(ATTEMPTS):
            try:
                with short_waits(connection):
                    super().handle(*args, **options)
                return
            except OperationalError as error:
                if getattr(error.__cause__, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                    raise
                self.stderr.write(f"A lock could not be had within {LOCK_TIMEOUT} s. Trying again in {PAUSE} s.")
            sleep(PAUSE)
        raise CommandError("Nothing was lost. A transaction has a table locked; see docs/howto/upgrade.md.")


@contextmanager
def short_waits(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Have statements wait for a lock no longer than LOCK_TIMEOUT, and run as long as they take.

    Not behind a pooler in transaction mode, where somebody else's transaction would meet these settings.
    """
    if connection.vendor != "postgresql" or connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS"):
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}s'; SET statement_timeout = 0")
    try:
        yield
    finally:
        with suppress(Error), connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout; RESET statement_timeout")
