"""Databases of one test each: a file, one more on the tests' PostgreSQL, or a PostgreSQL that can be killed."""

import os
import signal
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import psycopg

from project.environment import Env
from tests import postgres


@contextmanager
def one_more(url: str) -> Iterator[str]:
    """The URL of a new database on the server of `url`, dropped with the block."""
    name = f"faults_{uuid4().hex[:12]}"
    execute(url, f"CREATE DATABASE {name}")
    try:
        yield f"{url.rpartition('/')[0]}/{name}"
    finally:
        execute(url, f"DROP DATABASE {name} WITH (FORCE)")


def execute(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Runs one statement; its rows, if it gives any."""
    about = Env.db_url_config(url)
    if "sqlite" in about["ENGINE"]:
        with closing(sqlite3.connect(about["NAME"], timeout=20, isolation_level=None)) as connection:
            return connection.execute(statement).fetchall()
    with psycopg.connect(autocommit=True, **parameters(url)) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def parameters(url: str) -> dict[str, Any]:
    """What psycopg connects to the database of `url` by."""
    about = Env.db_url_config(url)
    names = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}
    return {name: about[key] for name, key in names.items() if about[key]}


class Postgres:
    """A PostgreSQL of its own that keeps what it has committed, and can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.binaries, self.url = folder, postgres.find_binaries(), postgres.url_of(folder)

    def start(self) -> None:
        """Try until what is left of the killed one has let go of its memory."""
        until = monotonic() + 60
        while True:
            try:
                # Else each of a thousand files is opened before recovery.
                postgres.start(self.binaries, self.folder, "-c recovery_init_sync_method=syncfs")
            except subprocess.CalledProcessError:
                assert monotonic() < until, (self.folder / "log").read_text()
                sleep(0.1)
            else:
                return

    def kill(self) -> None:
        """kill -9 of the postmaster."""
        os.kill(int((self.folder / "data/postmaster.pid").read_text().split()[0]), signal.SIGKILL)

    def stop(self) -> None:
        postgres.stop(self.binaries, self.folder)

    def cut_off(self) -> None:
        """Have a standby hear no more of its primary: what is written there from now on will be lost."""
        execute(self.url, "ALTER SYSTEM SET primary_conninfo = ''")
        execute(self.url, "SELECT pg_reload_conf()")
        until = monotonic() + 60
        while execute(self.url, "SELECT FROM pg_stat_wal_receiver"):
            assert monotonic() < until, (self.folder / "log").read_text()
            sleep(0.05)

    def promote(self) -> None:
        """Make a standby the primary."""
        postgres.run(self.binaries / "pg_ctl", "-D", self.folder / "data", "-s", "-w", "promote")


@contextmanager
def pair() -> Iterator[tuple[Postgres, Postgres]]:
    """A primary, which may be dead at the end, and a standby that streams from it."""
    with tempfile.TemporaryDirectory(prefix="sojourn-pg-", dir="/tmp") as second, mortal() as primary:
        standby = Postgres(Path(second))
        postgres.follow(standby.binaries, primary.folder, standby.folder, lag=0)
        try:
            yield primary, standby
        finally:
            standby.stop()


@contextmanager
def mortal() -> Iterator[Postgres]:
    with tempfile.TemporaryDirectory(prefix="sojourn-pg-", dir="/tmp") as name:  # a socket path is short
        server = Postgres(Path(name))
        server.start()
        try:
            yield server
        finally:
            with suppress(subprocess.CalledProcessError):  # it is dead
                server.stop()
