"""Answer a browser that brings a token of a bound session, but not the mark that it needs.

Usually it proves that it has the key before it sends a request. Where it has not, it is made to, once. The cookies
stay, and so does the session: what comes without the key may be a copy.
"""

from __future__ import annotations

from enum import Enum

from django.contrib.auth.views import redirect_to_login
from django.http import HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.utils.http import escape_leading_slashes

from .. import cookies, signals, verification
from ..conf import conf
from ..core.exceptions import TokenError
from ..events import Skip, TokenEvent, record
from ..models import RefreshToken
from ..session import TokenRequest

TRIED_FOR = 10  # seconds in which a browser that was made to prove the key has to be back
SAFE_METHODS = ("GET", "HEAD")


class Fallback(Enum):
    """What to answer."""

    RELOAD = "reload"  # an empty page that loads itself anew: a link from another site came unproven
    REPEAT = "repeat"  # a redirect to the same URL, with method and body
    REFUSE = "refuse"  # a script, which gets 401
    ASK = "ask"  # the browser cannot prove it right now, but its user can say who they are
    LATER = "later"  # the browser cannot prove it right now: 503
    ANONYMOUS = "anonymous"  # the key is gone, or was never here: the visitor is nobody


def choose(request: TokenRequest, *, open_to_all: bool) -> Fallback:
    """Return what to answer to a request without the mark that it needs, for a view that may be `open_to_all`.

    A browser whose mark is taken away by a redirect proves the key before it follows; one that came without a mark has
    tried already, or came from another site.
    """
    tokens, safe = request.tokens, request.method in SAFE_METHODS
    navigates = request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate"
    # Too many proofs, or the endpoint is in trouble. That is the client's word, and opens nothing.
    if "Secure-Session-Skipped" in request.headers:
        asks = tokens.guarded and conf.reauthentication_url and navigates and safe
        if not asks:
            return Fallback.LATER
        return Fallback.ASK if _is_good(tokens.access) else Fallback.ANONYMOUS
    if not tokens.tried and (tokens.mark or (navigates and not safe)):
        return Fallback.REPEAT
    if not tokens.tried and navigates:
        return Fallback.RELOAD
    return Fallback.ANONYMOUS if navigates or open_to_all else Fallback.REFUSE


def _is_good(access: str | None) -> bool:
    """Return whether the access token opens the page that asks who it is, which needs no mark, but a session."""
    try:
        return access is not None and bool(verification.verify_current(access))
    except TokenError:
        return False


def report(request: TokenRequest, sid: str) -> None:
    """Tell the site why the browser of the bound session `sid` has no mark, once it has had its chance to get one."""
    if skipped := request.headers.get("Secure-Session-Skipped"):
        record(TokenEvent.PROOF_SKIPPED, sid, Skip(skipped.partition(";")[0].strip()))
    elif request.tokens.tried:
        record(TokenEvent.UNPROVEN, sid)
        signals.device_unproven.send_robust(RefreshToken, request=request, sid=sid)


def response(request: TokenRequest, fallback: Fallback) -> HttpResponseBase:
    """Return the answer to any but LATER and ANONYMOUS. The mark goes: a browser without one proves the key."""
    answer: HttpResponseBase
    url = request.get_full_path()
    if fallback is Fallback.REPEAT:
        answer = HttpResponseRedirect(escape_leading_slashes(url), preserve_request=True)
    elif fallback is Fallback.RELOAD:
        answer = HttpResponse(headers={"Refresh": "0"})
    elif fallback is Fallback.ASK:
        answer = redirect_to_login(url, conf.reauthentication_url)
    else:
        answer = HttpResponse(status=401)
    cookies.delete(answer, "bound")
    if fallback in (Fallback.REPEAT, Fallback.RELOAD):
        cookies.write(answer, "unproven", "1", TRIED_FOR)  # it was just made to prove the key of its session
    answer.headers["Cache-Control"] = "private, no-store"
    return answer
