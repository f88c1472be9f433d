"""When a sign-in is resumed, and when its cookies are written."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import proxy

from asgiref.sync import sync_to_async
from django.contrib.auth import HASH_SESSION_KEY, middleware
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, Error, InterfaceError, InternalError, OperationalError
from django.http import HttpResponse, HttpResponseBase, HttpResponseRedirect, parse_cookie
from django.shortcuts import resolve_url
from django.template import TemplateDoesNotExist, loader
from django.utils.cache import patch_vary_headers
from django.utils.deprecation import MiddlewareMixin
from django.utils.functional import SimpleLazyObject
from django.utils.http import escape_leading_slashes

from . import adoption, auth, cookies, probe, users
from .conf import conf
from .exceptions import InvalidKeys, RevocationListUnavailable, StaleToken
from .models import RefreshToken
from .revocations import revocations
from .signin import OWNER, SignIn

logger = logging.getLogger("tokens")
OUTAGES = (OperationalError, InterfaceError, InternalError)  # the server is away, read-only or full; no mistake of ours
Visitor = AbstractBaseUser | AnonymousUser


class StrictCookies(MiddlewareMixin):
    """No neighbour's cookie passes for one of the site's: theirs cannot be named `__Host-`.

    Django strips Unicode spaces off names and lets the last of two win; so `\\u2000__Host-csrftoken`, which a neighbour
    may set for the whole domain, would be taken for the real one, and nobody could send a form. Stands first.
    """

    def process_request(self, request: Any) -> None:
        names = [name for name in request.COOKIES if name.startswith("__Host-")]
        for name, value in zip(names, cookies.read_all(request, *names), strict=True):
            if value is None:
                del request.COOKIES[name]
            else:
                request.COOKIES |= parse_cookie(f"{name}={value}")


class TokenMiddleware(middleware.AuthenticationMiddleware):
    """Hangs `request.tokens` and `request.user` on the request, before the view and outside its transaction."""

    def __init__(self, get_response: Any) -> None:
        try:
            conf.key_ring  # noqa: B018  (a server whose keys cannot be used must not start)
        except InvalidKeys as error:
            raise ImproperlyConfigured(str(error)) from error
        super().__init__(get_response)

    def process_request(self, request: Any) -> None:
        request.tokens = SignIn.of_cookies(request)
        request.user = SimpleLazyObject(partial(_visitor, request))
        # Weakly: requests that point to themselves wait for Python's collector, which then has all the more to do.
        request.auser = partial(_awhole_visitor, proxy(request))

    def process_view(
        self, request: Any, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        if getattr(view, "tokens_cookieless", False):
            request.user = AnonymousUser()
        elif request.method == "POST" and getattr(view, "tokens_unjudged", False):
            request.user = SimpleLazyObject(partial(_visitor, request, guarded=_guarded(request, view)))
        else:
            try:
                person = auth.resume(request, guarded=_guarded(request, view)) or adoption.resume(request)
                request.user = person or AnonymousUser()
            except StaleToken as stale:
                return probe.response(request, stale)
            except (RevocationListUnavailable, Error):
                logger.exception("It could not be found out who asks.")
                return _unavailable()
        return None

    def process_exception(self, request: Any, exception: Exception) -> HttpResponseBase | None:
        if isinstance(exception, (RevocationListUnavailable, *OUTAGES)):
            logger.error("A page could not be made during an outage.", exc_info=exception)
            return _unavailable()
        if not _vanished(request, exception):
            return None
        sid = request.tokens.session_id
        RefreshToken.objects.filter(pk=sid).revoke(RefreshToken.Reason.DELETED)
        revocations().mark([sid])  # the row may have gone as well
        return HttpResponseRedirect(escape_leading_slashes(request.get_full_path()), status=303)

    def process_response(self, request: Any, response: HttpResponseBase) -> HttpResponseBase:
        sign_in: SignIn | None = getattr(request, "tokens", None)
        if sign_in is None:
            return response
        session = getattr(request, "session", None)
        if session is not None and session.modified:
            _take_up(request, response)
        written = auth.deliver(request, response)
        adoption.settle(request, response)
        if sign_in.looked or written:
            _vary_by_cookie(response)
        if sign_in.claims or written:
            response.headers["Cache-Control"] = "private, no-store"
        return response


class LoginRequiredMiddleware(middleware.LoginRequiredMiddleware):
    """Django's; but a view that is open to everybody does not look at its visitor."""

    def process_view(
        self, request: Any, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        if not getattr(view, "login_required", True):
            return None
        return super().process_view(request, view, args, kwargs)

    def handle_no_permission(self, request: Any, view: Callable[..., Any]) -> HttpResponseRedirect:
        """Nobody is sent back after a form that is lost: its address may have no page to show."""
        if request.method in ("GET", "HEAD"):
            return super().handle_no_permission(request, view)
        return HttpResponseRedirect(resolve_url(self.get_login_url(view)))


def _visitor(request: Any, guarded: bool = False) -> Visitor:
    """Who asks, where it is too late or too early to judge: on a page that was not found, or at a log-in or -out."""
    try:
        person = auth.resume(request, guarded=guarded, judged=False) or adoption.resume(request)
        return person or AnonymousUser()
    except (RevocationListUnavailable, Error):
        logger.exception("It could not be found out who asks.")
        return AnonymousUser()


def _vanished(request: Any, exception: Exception) -> bool:
    """Whether the person was deleted while the view ran: what it then saved of them found no row."""
    claims = request.tokens.claims
    return isinstance(exception, users.UserVanished) or (
        isinstance(exception, DatabaseError) and claims is not None and users.fresh(users.key_of(claims.sub)) is None
    )


def _whole_visitor(request: Any) -> Visitor:
    """`await request.auser()`: whoever `request.user` is at that moment, loaded here and not in the event loop."""
    try:
        return users.whole(request.user)
    except users.UserVanished:
        return AnonymousUser()


_awhole_visitor = sync_to_async(_whole_visitor)  # made once: to make one costs more than all else here


def _guarded(request: Any, view: Callable[..., Any]) -> bool:
    match = request.resolver_match
    return getattr(view, "tokens_guarded", False) or (match is not None and "admin" in match.app_names)


def _take_up(request: Any, response: HttpResponseBase) -> None:
    """What the view has left in Django's session. The hash can only be from `update_session_auth_hash`: those of
    `login()` are taken out."""
    session_hash = request.session.pop(HASH_SESSION_KEY, None)
    if session_hash and response.status_code < 500:
        auth.renew(request, session_hash)
    _own_session(request)


def _own_session(request: Any) -> None:
    """Whose the session is, for the next person who signs in here; an empty one would be set as a cookie."""
    if not request.session.keys():
        request.session.flush()
    elif claims := request.tokens.claims:
        request.session[OWNER] = claims.sub


def _vary_by_cookie(response: HttpResponseBase) -> None:
    if response.has_header("Vary"):
        patch_vary_headers(response, ("Cookie",))
    else:  # mostly; to take the header apart costs more than to set it
        response.headers["Vary"] = "Cookie"


def _unavailable() -> HttpResponse:
    """Nobody can say who asks. Better no answer for a moment than a wrong one; the cookies stay."""
    try:
        page: str = loader.render_to_string("503.html")
    except TemplateDoesNotExist:
        page = "Please try again in a moment."
    return HttpResponse(page, status=503, headers={"Retry-After": "5"})
