"""What browsers report: a page of ours needed something that the Content-Security-Policy forbids. A line in the log.

Anybody can send one, so it is small, at most one a second in each process, and nothing is done but to write it down.
"""

import json
import logging
from time import monotonic
from urllib.parse import urlsplit

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from tokens.decorators import anonymous_only

logger = logging.getLogger("project")

MAX_BYTES = 8 * 1024  # bytes
MAX_LENGTH = 100  # characters of whatever a report says
PAUSE = 1.0  # seconds

_free_at = float("-inf")


@require_POST
@csrf_exempt  # browsers send it by themselves, and nothing is done
@anonymous_only
@login_not_required
def csp_report(request: HttpRequest) -> HttpResponse:
    """204, whatever it says; 413 if it is too long, 400 if it is no report."""
    body = request.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        return HttpResponse(status=413)
    try:
        report = json.loads(body)["csp-report"]
        told = {
            "reason": _text(report, "effective-directive") or _text(report, "violated-directive"),
            "path": urlsplit(_text(report, "document-uri")).path,
            "blocked": _text(report, "blocked-uri").partition("?")[0],
        }
    except (ValueError, LookupError, TypeError, RecursionError):
        return HttpResponse(status=400)
    if _may_log():
        logger.warning("A page needed what its policy forbids.", extra={"kind": "csp_violation", **told})
    return HttpResponse(status=204)


def _text(report: object, name: str) -> str:
    return str(report.get(name, ""))[:MAX_LENGTH] if isinstance(report, dict) else ""


def _may_log() -> bool:
    global _free_at
    now = monotonic()
    if now < _free_at:
        return False
    _free_at = now + PAUSE
    return True
