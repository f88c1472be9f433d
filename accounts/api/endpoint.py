"""Share what all endpoints have in common: authentication and error responses. No cookie is read or set."""

import json
import re
from collections.abc import Callable
from functools import wraps

from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.utils.cache import patch_vary_headers
from django.views.decorators.csrf import csrf_exempt

from accounts.api.problems import Problem, forbidden, try_later, unauthorized
from accounts.email import policy as email_policy
from accounts.factors import policy as factors_policy
from accounts.security.throttle import Throttled
from accounts.types import Request
from tokens import bearer
from tokens.core.exceptions import ExpiredToken, InvalidToken, RevocationListUnavailable, TokenError
from tokens.decorators import anonymous_only
from tokens.middleware import OUTAGES

View = Callable[..., HttpResponse]
MAX_BODY = 16 * 1024  # bytes
_NOT_TEXT = re.compile("[\0\ud800-\udfff]")  # JSON can contain it, but databases and hashers fail on it.


def endpoint(**views: View) -> View:
    """Return the view of one URL, made from a view for each method: `get=`, `post=`, `delete=`.

    These raise Problem and TokenError. What answers GET also answers HEAD (RFC 9110 §9.1); the server drops the body.
    """
    if "get" in views:
        views["head"] = views["get"]

    @csrf_exempt  # Nothing here is authenticated by a cookie.
    @login_not_required
    @anonymous_only
    def answer(request: Request, **kwargs: object) -> HttpResponse:
        request.COOKIES = {}  # Nothing that is called from here may read them.
        try:
            response = _view(request, views)(request, **kwargs)
        except Problem as problem:
            response = problem.response()
        except TokenError as error:
            response = _problem(request, error).response()
        except Throttled as throttled:
            response = try_later(throttled).response()
        except (RevocationListUnavailable, *OUTAGES):
            response = _UNAVAILABLE.response()
        response.headers["Cache-Control"] = "no-store"
        patch_vary_headers(response, ("Authorization",))
        return response

    return answer


def access_token_required(view: View) -> View:
    """Require a valid access token."""

    @wraps(view)
    def checked(request: Request, **kwargs: object) -> HttpResponse:
        bearer.resume(request)
        return view(request, **kwargs)

    return checked


def live_session_required(view: View) -> View:
    """Require a valid access token and read the session's row, for what guards the account itself."""

    @wraps(view)
    def checked(request: Request, **kwargs: object) -> HttpResponse:
        bearer.resume(request, fresh=True)
        return view(request, **kwargs)

    return checked


def app_required(view: View) -> View:
    """Require a live session of an app, for what a page would ask a browser's user to reauthenticate for.

    A neighbour that a browser's access token was passed on to may read with it, and no more.
    """

    @live_session_required
    @wraps(view)
    def checked(request: Request, **kwargs: object) -> HttpResponse:
        if request.tokens.row is None or not request.tokens.row.is_app:
            raise forbidden("This token belongs to a browser. To do this, sign in through the API.")
        return view(request, **kwargs)

    return checked


def staff_required(view: View) -> View:
    """Require a member of the staff, as the database has them now."""

    @live_session_required
    @wraps(view)
    def checked(request: Request, **kwargs: object) -> HttpResponse:
        if not request.user.is_staff:
            raise forbidden()
        if not email_policy.can_open(request.user, account=False):
            raise forbidden("This account's email address isn't confirmed yet. To confirm it, sign in on the site.")
        row = request.tokens.row
        if row is None or not factors_policy.may_go_on(request.user, row.amr.split()):
            raise forbidden("This account needs a second factor. To set one up, or to show it, sign in again.")
        return view(request, **kwargs)

    return checked


def body(request: Request, *names: str) -> list[str]:
    """Return the strings `names` of the JSON object in the body. Raise Problem 400, 411, 413 or 415."""
    if request.content_type != "application/json":
        raise Problem(415, "unsupported_media_type", "Send application/json.")
    try:
        sent = json.loads(_octets(request).decode())
    except (ValueError, RecursionError):
        raise Problem(400, "bad_request", "The body isn't JSON in UTF-8.") from None
    if not isinstance(sent, dict) or not all(isinstance(sent.get(name), str) for name in names):
        raise Problem(400, "bad_request", f"Send an object with these strings: {', '.join(names)}.")
    texts = [sent[name] for name in names]
    if any(map(_NOT_TEXT.search, texts)):
        raise Problem(400, "bad_request", "Strings can't contain NUL or unpaired surrogates.")
    return texts


def _octets(request: Request) -> bytes:
    """Return the body. Raise Problem 411 or 413 if it cannot be read or is too long.

    By WSGI Django reads nothing of a chunked body, which has no Content-Length.
    """
    octets: bytes = request.read(MAX_BODY + 1)
    if not octets and "Transfer-Encoding" in request.headers:
        raise Problem(411, "length_required", "Send the header Content-Length.")
    if len(octets) > MAX_BODY:
        raise Problem(413, "content_too_large", f"Send at most {MAX_BODY} bytes.")
    return octets


def _view(request: Request, views: dict[str, View]) -> View:
    """Return the view for the request's method. Raise Problem 405 if there is none."""
    view = views.get((request.method or "").lower())
    if view is None:
        raise Problem(405, "method_not_allowed", Allow=", ".join(method.upper() for method in views))
    return view


def _problem(request: Request, error: TokenError) -> Problem:
    """Return what to tell the client of an error, which is only whether to refresh (RFC 6750 §3.1)."""
    if isinstance(error, InvalidToken) and "Authorization" not in request.headers:
        return unauthorized()
    if isinstance(error, ExpiredToken) and request.tokens.access:  # not for a refresh token, or clients would loop
        return unauthorized("invalid_token", bearer.EXPIRED)
    return unauthorized("invalid_token")


_UNAVAILABLE = Problem(503, "unavailable", "Please try again in a moment.", Retry_After="5")
