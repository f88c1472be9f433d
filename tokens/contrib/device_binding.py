"""The two endpoints of device-bound sessions, which browsers call by themselves (W3C DBSC).

    path("device-binding/", include("tokens.contrib.device_binding"))

Neither needs a cookie. A browser forgets its key for good at a redirect, a 401 or a 429: throttles and redirects must
be kept away from them, and trouble is a 503.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import wraps
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse, JsonResponse
from django.urls import URLPattern, get_resolver, get_script_prefix, path, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from .. import cookies
from ..binding import challenges, marks
from ..conf import conf
from ..core import proofs
from ..core.exceptions import InvalidChallenge, InvalidToken, RevokedToken
from ..decorators import anonymous_only
from ..events import Refusal, TokenEvent, record
from ..models import RefreshToken
from ..session import TokenRequest

logger = logging.getLogger("tokens")
View = Callable[[TokenRequest], HttpResponse]


def _for_browsers(view: View) -> View:
    """Answer 401 where binding is off, and to whatever concerns no live session: the browser forgets the key."""

    @csrf_exempt
    @require_POST
    @never_cache
    @login_not_required
    @anonymous_only
    @wraps(view)
    def answered(request: TokenRequest) -> HttpResponse:
        try:
            return view(request) if conf.bound_lifetime else HttpResponse(status=401)
        except RevokedToken:
            return HttpResponse(status=401)

    return answered


@_for_browsers
def register(request: TokenRequest) -> HttpResponse:
    """Keep the key that a browser proves to have, for the session that it was offered in."""
    try:
        proof = proofs.read_registration(_proof(request))
        sid, offered_at = challenges.registered(proof.challenge)
        row = _live_row(sid)
    except InvalidToken as error:
        _refuse("", error)
        return HttpResponse(status=401)
    if not RefreshToken.objects.bind(row, proof.key, offered_at):
        _refuse(sid)
        return HttpResponse(status=401)
    record(TokenEvent.REGISTERED, sid)
    return _proven(row)


@_for_browsers
def refresh(request: TokenRequest) -> HttpResponse:
    """Give a new mark to a browser that proves possession of its session's key; else ask for that."""
    row = _live_row(request.headers.get("Sec-Secure-Session-Id", "").strip('"'))
    if not row.bound_key or _is_left_over(request, row):
        return HttpResponse(status=401)
    sid, token = str(row.pk), _proof(request)
    if not token:  # it has no challenge, or asks for a younger one
        return _asked(row)
    try:
        proof = proofs.read_refresh(token, row.bound_key)
        moment = challenges.moment_of(proof.challenge, row)
    except InvalidToken as error:
        _refuse(sid, error)
        return _asked(row)
    if not RefreshToken.objects.prove(row, moment):
        row = _live_row(sid)  # unless the session has just ended
        _refuse(sid)
        return _asked(row)
    record(TokenEvent.PROVEN, sid)
    return _proven(row)


app_name = "tokens_binding"
urlpatterns = [path("register", register, name="register"), path("refresh", refresh, name="refresh")]


def _proof(request: TokenRequest) -> str:
    return request.headers.get("Secure-Session-Response", "").strip('"')


def _live_row(sid: str) -> RefreshToken:
    """Return the live row of an id that anybody may have sent. Raises RevokedToken."""
    try:
        key = UUID(sid)
    except ValueError:
        raise RevokedToken(sid) from None
    row: RefreshToken | None = RefreshToken.objects.on_primary().select_related("user").filter(pk=key).first()
    if row is None:
        raise RevokedToken(sid)
    row.check_live()
    return row


def _refuse(sid: str, error: InvalidToken | None = None) -> None:
    """Record that a proof is refused; without an `error` it was good before."""
    if error:
        logger.info("%s", error)
    refusal = Refusal.CHALLENGE if isinstance(error, InvalidChallenge) else Refusal.KEY if error else Refusal.USED
    record(TokenEvent.PROOF_REFUSED, sid, refusal)


def _proven(row: RefreshToken) -> HttpResponse:
    """Return the mark, the session's rules for the browser, and the challenge of the next proof."""
    name, secure = cookies.name_of("bound"), "Secure; " if conf.cookie_secure else ""
    excluded = [{"type": "exclude", "domain": "*", "path": prefix} for prefix in _paths_without_session()]
    response = JsonResponse(
        {
            "session_identifier": str(row.pk),
            "refresh_url": reverse("tokens_binding:refresh"),
            "scope": {"include_site": False, "scope_specification": excluded},
            "credentials": [{"type": "cookie", "name": name, "attributes": f"Path=/; {secure}HttpOnly; SameSite=Lax"}],
            "allowed_refresh_initiators": ["*"],  # a link from another site: the POST carries no cookie
        }
    )
    marks.write(response, row)
    response.headers["Secure-Session-Challenge"] = challenges.following(row)
    return response


def _is_left_over(request: TokenRequest, row: RefreshToken) -> bool:
    """Return whether the browser has gone on in another session, while that of this key still lives.

    So it does if it signed out, or signed in anew, when it could not prove the key. It has one cookie for the mark of
    both, and the wrong one would keep its user out. After a link from another site no cookie says so.
    """
    held = {claims.sid for claims in request.tokens.presented_claims()}
    return bool(held) and str(row.pk) not in held


def _paths_without_session() -> Iterator[str]:
    """Yield the paths that no proof is needed for: the static files, and what the site itself has for machines."""
    if (settings.STATIC_URL or "").startswith("/"):
        yield settings.STATIC_URL
    for pattern in get_resolver().url_patterns:
        if isinstance(pattern, URLPattern) and getattr(pattern.callback, "tokens_anonymous_only", False):
            yield f"{get_script_prefix()}{pattern.pattern}"


def _asked(row: RefreshToken) -> HttpResponse:
    return HttpResponse(status=403, headers={"Secure-Session-Challenge": challenges.following(row)})
