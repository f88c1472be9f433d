"""Answer the probes that monitor the process. They read no cookie and set none.

Strangers learn what is missing, and nothing else. A request with METRICS_TOKEN learns why, and how long each check
took. Being staff does not count: nobody can be authenticated while the database or the keys are unavailable.
"""

from collections.abc import Callable
from functools import cache
from time import perf_counter

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.cache import caches
from django.db import Error, connection
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from project.redaction import redacted, secrets_of
from tokens.conf import conf
from tokens.decorators import anonymous_only


@require_safe
@never_cache
@anonymous_only
@login_not_required
def alive(request: HttpRequest) -> JsonResponse:
    """Return 200 while the process responds at all."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
@anonymous_only
@login_not_required
def ready(request: HttpRequest) -> JsonResponse:
    """Return 200 if the site can serve its users, or 503 with the names of what is missing."""
    checks = run_checks()
    missing = [name for name, found in checks.items() if not found["ok"] and (name != "cache" or conf.revocation_cache)]
    answer: dict[str, object] = {"status": "unavailable", "missing": missing} if missing else {"status": "ok"}
    if knows_token(request):
        answer["checks"] = checks
    return JsonResponse(answer, status=503 if missing else 200)


def knows_token(request: HttpRequest) -> bool:
    """Return whether the request has METRICS_TOKEN."""
    given = request.headers.get("Authorization", "").encode()
    expected = f"Bearer {settings.METRICS_TOKEN}".encode()
    return bool(settings.METRICS_TOKEN) and constant_time_compare(given, expected)


def run_checks() -> dict[str, dict[str, object]]:
    """Run all checks and return what each found."""
    return {name: run_check(check) for name, check in CHECKS.items()}


def run_check(check: Callable[[], object]) -> dict[str, object]:
    """Run a check and return `ok`, `seconds`, and the `trouble` if there is any."""
    started = perf_counter()
    try:
        check()
        trouble = {}
    except Exception as error:  # Whatever is wrong is reported instead of raised.
        trouble = {"trouble": redacted(f"{type(error).__name__}: {error}".strip(), secrets_of(None))}
    return {"ok": not trouble, "seconds": round(perf_counter() - started, 6), **trouble}


def check_database() -> None:
    """Raise the database's error if it does not answer."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def check_migrations() -> None:
    """Raise LookupError if a migration has not been applied.

    While the database is unavailable that is unknown, and `check_database` reports it.
    """
    try:
        _all_migrated()
    except Error:
        return


@cache
def _all_migrated() -> None:
    """Raise LookupError if a migration is missing.

    Success is cached: a migration stays applied, and the code of a process does not change.
    """
    loader = MigrationLoader(connection)
    if missing := sorted(loader.graph.nodes.keys() - loader.applied_migrations.keys()):
        raise LookupError(f"Not applied: {', '.join(f'{app}.{name}' for app, name in missing)}.")


def check_keys() -> object:
    """Raise an error if there is no key to sign with."""
    return conf.key_ring.current


def check_cache() -> None:
    """Raise the cache's error if it does not answer.

    The site works without it, unless the revocation list is kept there.
    """
    for name in {"default", conf.revocation_cache or "default"}:
        caches[name].get("readyz")


CHECKS: dict[str, Callable[[], object]] = {
    "database": check_database,
    "migrations": check_migrations,
    "keys": check_keys,
    "cache": check_cache,
}
