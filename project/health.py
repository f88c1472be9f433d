"""Answers for machines that watch the process. They read no cookie and set none."""

from django.contrib.auth.decorators import login_not_required
from django.db import Error, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from tokens.conf import conf
from tokens.decorators import cookieless


@require_safe
@never_cache
@cookieless
@login_not_required
def alive(request: HttpRequest) -> JsonResponse:
    """200 while the process answers at all."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
@cookieless
@login_not_required
def ready(request: HttpRequest) -> JsonResponse:
    """200 when people can be served; 503 names what is missing, and nothing more."""
    missing = [name for name, usable in (("database", database_usable), ("keys", keys_usable)) if not usable()]
    if missing:
        return JsonResponse({"status": "unavailable", "missing": missing}, status=503)
    return JsonResponse({"status": "ok"})


def database_usable() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return False
    return True


def keys_usable() -> bool:
    try:
        return bool(conf.key_ring.current)
    except Exception:  # whatever is wrong with the keys, the answer is the same
        return False
