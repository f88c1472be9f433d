"""Write the Content-Security-Policy, and log what browsers report: a page of ours needed something that it forbids.

Anybody can send a report, so it may only be small, each process logs at most one a second, and nothing else is done.
"""

import json
import logging
from time import monotonic
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from tokens.decorators import anonymous_only

logger = logging.getLogger("project")

MAX_BYTES = 8 * 1024  # bytes
MAX_LENGTH = 100  # characters of each field of a report
PAUSE = 1.0  # seconds

_free_at = float("-inf")


def policy() -> str:
    """Return the header of SECURE_CSP. No page has one of its own, or needs a nonce."""
    directives = settings.SECURE_CSP.items()
    return "; ".join(" ".join((name, *([to] if isinstance(to, str) else to))) for name, to in directives)


@require_POST
@csrf_exempt  # Browsers send it by themselves, and it changes nothing.
@anonymous_only
@login_not_required
def csp_report(request: HttpRequest) -> HttpResponse:
    """Log a report and return 204; return 413 if it is too long, 400 if it is malformed."""
    body = request.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        return HttpResponse(status=413)
    try:
        report = json.loads(body)["csp-report"]
        fields = {
            "reason": _text(report, "effective-directive") or _text(report, "violated-directive"),
            "path": urlsplit(_text(report, "document-uri")).path,
            "blocked": _text(report, "blocked-uri").partition("?")[0],
        }
    except (ValueError, LookupError, TypeError, RecursionError):
        return HttpResponse(status=400)
    if _may_log():
        logger.warning("A page violated its Content-Security-Policy.", extra={"kind": "csp_violation", **fields})
    return HttpResponse(status=204)


def _text(report: object, name: str) -> str:
    return str(report.get(name, ""))[:MAX_LENGTH] if isinstance(report, dict) else ""


def _may_log() -> bool:
    """Return whether the last report was logged long enough ago."""
    global _free_at
    now = monotonic()
    if now < _free_at:
        return False
    _free_at = now + PAUSE
    return True
