"""What a browser gets that brings a refresh token of a bound session without a good mark.

Usually it proves that it has the key before it sends a request. Where it has not, it is made to, once. The cookies
stay, and so does the session: what comes without the key may be a copy.
"""

from __future__ import annotations

from enum import Enum

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.utils.http import escape_leading_slashes

from .. import cookies

TRIED_FOR = 10  # seconds in which a browser that was made to prove the key has to be back


class Fallback(Enum):
    """What to answer."""

    RELOAD = "reload"  # an empty page that loads itself anew: a link from another site came unproven
    REPEAT = "repeat"  # a redirect to the same URL, with method and body
    REFUSE = "refuse"  # a script, which gets 401
    LATER = "later"  # the browser cannot prove it right now, or a form would be lost: 503
    ANONYMOUS = "anonymous"  # the key is gone, or was never here: the visitor is nobody


def choose(request: HttpRequest) -> Fallback:
    """Return what to answer to a request without a mark that needs one."""
    if "Secure-Session-Skipped" in request.headers:  # too many proofs, or the endpoint is in trouble
        return Fallback.LATER
    if request.headers.get("Sec-Fetch-Mode", "navigate") != "navigate":
        return Fallback.REFUSE
    tried = cookies.read(request, cookies.name_of("unproven")) is not None
    if request.method in ("GET", "HEAD"):
        return Fallback.ANONYMOUS if tried else Fallback.RELOAD
    return Fallback.LATER if tried else Fallback.REPEAT


def response(request: HttpRequest, fallback: Fallback) -> HttpResponseBase:
    """Return the answer to RELOAD, REPEAT or REFUSE. Whatever mark there is goes: the browser proves the key then."""
    answer: HttpResponseBase
    if fallback is Fallback.REPEAT:
        answer = HttpResponseRedirect(escape_leading_slashes(request.get_full_path()), preserve_request=True)
    elif fallback is Fallback.RELOAD:
        answer = HttpResponse(headers={"Refresh": "0"})
    else:
        answer = HttpResponse(status=401)
    cookies.delete_bound(answer)
    if fallback is not Fallback.REFUSE:
        cookies.write_unproven(answer, TRIED_FOR)
    answer.headers["Cache-Control"] = "private, no-store"
    return answer
