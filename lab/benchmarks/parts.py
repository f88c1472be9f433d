"""The real parts that a run needs: PostgreSQL, Redis, a file for SQLite, and keys; gone afterwards."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

ALGORITHMS = ("RS256", "ES256", "EdDSA")


@contextmanager
def running() -> Iterator[dict[str, str]]:
    """Yield an environment for contenders that names every part; of the caller's own, nothing counts."""
    from tests import postgres, valkey
    from tokens.core import keyfile, keys

    with tempfile.TemporaryDirectory() as folder, postgres.running() as url, valkey.running() as redis:
        environment = {
            "PATH": os.environ["PATH"],
            "BENCHMARKS_FOLDER": folder,
            "BENCHMARKS_POSTGRESQL": url,
            "BENCHMARKS_REDIS": f"unix://{redis.unix_socket_path}",
        }
        for alg in ALGORITHMS:
            keyfile.write(Path(folder, alg), {"keys": [keys.generate_jwk(alg)]})
        yield environment


def database(environment: dict[str, str], name: str, template: str = "template1") -> dict[str, str]:
    """Return `environment` with a new database of PostgreSQL in the place of the first, a copy of `template`."""
    import psycopg

    with psycopg.connect(connection(environment["BENCHMARKS_POSTGRESQL"]), autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    url = environment["BENCHMARKS_POSTGRESQL"].rpartition("/")[0] + f"/{name}"
    return {**environment, "BENCHMARKS_POSTGRESQL": url}


@contextmanager
def pooled(environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """Yield `environment` with a pgbouncer in transaction mode before its PostgreSQL."""
    from tests import pgbouncer

    folder, _, name = environment["BENCHMARKS_POSTGRESQL"].partition("@/")[2].rpartition("/")
    with pgbouncer.pooling(Path(unquote(folder))) as url:
        yield {**environment, "BENCHMARKS_POSTGRESQL": url.rpartition("/")[0] + f"/{name}"}


def version(environment: dict[str, str]) -> str:
    """Return the version of PostgreSQL."""
    import psycopg

    with psycopg.connect(connection(environment["BENCHMARKS_POSTGRESQL"])) as server:
        return server.info.parameter_status("server_version") or ""


def connection(url: str) -> str:
    """Return for psycopg a DATABASE_URL that has the folder of a socket as its host."""
    host, _, name = url.partition("@/")[2].rpartition("/")
    return f"host={unquote(host)} user=postgres dbname={name}" if host else url


def settings(kind: str) -> dict[str, Any]:
    """Return DATABASES for "sqlite" or "postgresql". Connections are kept, as everybody is advised."""
    if kind == "sqlite":
        found = {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": f"{os.environ['BENCHMARKS_FOLDER']}/{os.getpid()}.sqlite3",
        }
    else:
        import environ

        found = environ.Env.db_url_config(os.environ["BENCHMARKS_POSTGRESQL"])
        found["OPTIONS"] = {"prepare_threshold": 5}  # as the site has it
    return {**found, "CONN_MAX_AGE": None}


def site(environment: dict[str, str], **more: str) -> dict[str, str]:
    """Return `environment` for the whole site, on the PostgreSQL and the Redis that it names."""
    return {
        **environment,
        "DJANGO_SETTINGS_MODULE": "lab.benchmarks.site",
        "SECRET_KEY": "of no use anywhere else, and long enough for every check of it",
        "ALLOWED_HOSTS": "localhost,127.0.0.1,testserver",
        "DATABASE_URL": environment["BENCHMARKS_POSTGRESQL"],
        "EMAIL_URL": "memorymail://",
        "SECURE_SSL_REDIRECT": "false",
        "STATIC_ROOT": f"{environment['BENCHMARKS_FOLDER']}/static",
        "TOKENS_ISSUER": "http://localhost",
        **more,
    }


def load(database: str, folder: str, **more: str) -> None:
    """Load the site into this process, and create its tables.

    `more` is for its environment; of the caller's own settings none counts.
    """
    for name in [name for name in os.environ if name.startswith("TOKENS_")]:
        del os.environ[name]
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "ALLOWED_HOSTS": "testserver",
        "DATABASE_URL": database,
        "EMAIL_URL": "memorymail://",
        "LOG_LEVEL": "error",
        "SECURE_SSL_REDIRECT": "false",
        "STATIC_ROOT": folder,
        "TOKENS_ISSUER": "https://example.org",
        **more,
    }
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
