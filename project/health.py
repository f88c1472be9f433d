"""Answers for machines that watch the process. They read no cookie and set none.

Strangers are told what is missing, and no more. Whoever shows METRICS_TOKEN is told why, and what it took to find out:
not somebody who is signed in as staff, since nobody can be asked who they are when the database or the keys are away.
"""

from collections.abc import Callable
from functools import cache
from time import perf_counter

from django.contrib.auth.decorators import login_not_required
from django.core.cache import caches
from django.db import Error, connection
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from project.metrics import knows_token
from project.redaction import redacted, secrets_of
from tokens.conf import conf
from tokens.decorators import anonymous_only


@require_safe
@never_cache
@anonymous_only
@login_not_required
def alive(request: HttpRequest) -> JsonResponse:
    """200 while the process answers at all."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
@anonymous_only
@login_not_required
def ready(request: HttpRequest) -> JsonResponse:
    """200 when people can be served; 503 names what is missing."""
    checks = {name: looked_at(check) for name, check in CHECKS.items()}
    missing = [name for name, found in checks.items() if not found["ok"] and (name != "cache" or conf.revocation_cache)]
    answer: dict[str, object] = {"status": "unavailable", "missing": missing} if missing else {"status": "ok"}
    if knows_token(request):
        answer["checks"] = checks
    return JsonResponse(answer, status=503 if missing else 200)


def looked_at(check: Callable[[], object]) -> dict[str, object]:
    """`ok`, `seconds`, and the `trouble` if there is any."""
    begun = perf_counter()
    try:
        check()
        trouble = {}
    except Exception as error:  # whatever is wrong, it is told and not raised
        trouble = {"trouble": redacted(f"{type(error).__name__}: {error}".strip(), secrets_of(None))}
    return {"ok": not trouble, "seconds": round(perf_counter() - begun, 6), **trouble}


def check_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def check_migrations() -> None:
    """While the database is away nobody knows, and that is told of the database."""
    try:
        _all_migrated()
    except Error:
        return


@cache
def _all_migrated() -> None:
    """Once good is good for this process: what is applied stays so, and what it needs does not change."""
    loader = MigrationLoader(connection)
    if missing := sorted(loader.graph.nodes.keys() - loader.applied_migrations.keys()):
        raise LookupError(f"Not applied: {', '.join(f'{app}.{name}' for app, name in missing)}.")


def check_keys() -> object:
    return conf.key_ring.current


def check_cache() -> None:
    """The site goes on without it, but for the list of what is revoked, if that is kept there."""
    for name in {"default", conf.revocation_cache or "default"}:
        caches[name].get("readyz")


CHECKS: dict[str, Callable[[], object]] = {
    "database": check_database,
    "migrations": check_migrations,
    "keys": check_keys,
    "cache": check_cache,
}
