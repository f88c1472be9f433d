"""Authenticate requests before the view, and write the cookies of tokens after it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any
from weakref import proxy

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.contrib.auth import HASH_SESSION_KEY, middleware
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured, SynchronousOnlyOperation
from django.db import DatabaseError, Error, InterfaceError, InternalError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, parse_cookie
from django.shortcuts import resolve_url
from django.template import TemplateDoesNotExist, loader
from django.utils.cache import patch_vary_headers
from django.utils.deprecation import MiddlewareMixin
from django.utils.functional import SimpleLazyObject, empty
from django.utils.http import escape_leading_slashes

from . import auth, cookies, probe, users
from .authentication import Refusal, authenticate, needs_no_database
from .binding import fallbacks
from .binding.fallbacks import Fallback
from .conf import conf
from .core.exceptions import InvalidKeys, RevocationListUnavailable, UnprovenToken
from .models import RefreshToken
from .revocation import get_revocation_list
from .session import OWNER, RequestSession, TokenRequest, show_sign_in, stores

logger = logging.getLogger("tokens")
OUTAGES = (OperationalError, InterfaceError, InternalError)  # the server is away, read-only or full; not a bug
Visitor = AbstractBaseUser | AnonymousUser
View = Callable[..., HttpResponseBase]


class StrictCookiesMiddleware(MiddlewareMixin):
    """Keep a sibling subdomain's cookie from passing for one of the site's: theirs cannot be named `__Host-`.

    Django strips Unicode spaces off names and lets the last of two win; so `\\u2000__Host-csrftoken`, which a sibling
    may set for the whole domain, would be taken for the real one, and nobody could send a form. Put it first.
    """

    def process_request(self, request: HttpRequest) -> None:
        names = [name for name in request.COOKIES if name.startswith("__Host-")]
        found = cookies.read_all(request) if names else {}
        for name in names:
            if found.get(name) is None:
                del request.COOKIES[name]
            else:
                request.COOKIES |= parse_cookie(f"{name}={found[name]}")


class TokenMiddleware(middleware.AuthenticationMiddleware):
    """Set `request.tokens` and `request.user`, before the view and outside its transaction."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        try:
            conf.key_ring  # noqa: B018  (a server whose keys cannot be used must not start)
        except InvalidKeys as error:
            raise ImproperlyConfigured(str(error)) from error
        super().__init__(get_response)
        in_event_loop: bool = iscoroutinefunction(get_response)
        if in_event_loop and type(self).process_view is TokenMiddleware.process_view:
            self.process_view = self._process_view_async  # type: ignore[assignment,method-assign]

    def __call__(self, request: TokenRequest) -> Any:  # type: ignore[override]
        """Do as Django's mixin, which looks for these methods at each request."""
        if self.async_mode:  # type: ignore[attr-defined]
            return self.__acall__(request)
        response: Any = self.process_request(request) or self.get_response(request)
        return self.process_response(request, response)

    async def __acall__(self, request: TokenRequest) -> HttpResponseBase:  # type: ignore[override]
        """Leave the event loop only to ask the database: a good access token needs no thread."""
        response: Any = self.process_request(request) or await self.get_response(request)  # type: ignore[misc]
        if _may_write(request):
            return await sync_to_async(self.process_response)(request, response)
        return self.process_response(request, response)

    async def _process_view_async(self, request: TokenRequest, view: View, *args: Any) -> HttpResponseBase | None:
        """Do as `process_view`, in a thread if that may ask the database."""
        process_view = partial(TokenMiddleware.process_view, self, request, view, *args)
        with suppress(SynchronousOnlyOperation):  # The revocation list may be due to be read this very moment.
            if not _needs_fresh(request) and not conf.adopt_sessions and needs_no_database(request.tokens):
                return process_view()
        return await sync_to_async(process_view)()

    def process_request(self, request: TokenRequest) -> HttpResponseBase | None:  # type: ignore[override]
        request.tokens = tokens = RequestSession.from_cookies(request)
        request.user = tokens.visitor = LazyVisitor(request)
        if hasattr(request, "session"):
            show_sign_in(request)
        # A weak reference: a request that refers to itself would have to wait for the garbage collector.
        request.auser = partial(_aloaded_visitor, proxy(request))  # type: ignore[assignment]
        return None

    def process_view(
        self,
        request: TokenRequest,
        view: View,
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> HttpResponseBase | None:
        """Judge what the cookies brought; the lazy `request.user` answers with it, wherever it has been put by now.

        What another middleware has decided stands: a session that it started or ended, or a `request.user` of its own.
        """
        tokens = request.tokens
        if tokens.created or tokens.flushed or tokens.bearer:
            return None
        if getattr(view, "tokens_anonymous_only", False):
            nobody = {"_request": None, "_tokens": RequestSession(), "_found": AnonymousUser(), "_wrapped": empty}
            _own(tokens.visitor, "__dict__").update(nobody)
        elif request.method != "POST" or not getattr(view, "tokens_starts_or_ends_session", False):
            tokens.asked = tokens.judged = True
            try:
                fresh = _needs_fresh(request)
                if fresh:
                    tokens.guarded = _needs_proof(request, view)
                found = authenticate(request, fresh=fresh)
                if isinstance(found, Refusal):
                    if found.probe:
                        return probe.response(request, found.probe)
                    if isinstance(found.error, UnprovenToken) and (
                        answer := _fall_back(request, view, found.error.sid)
                    ):
                        return answer
                    taken_over = _django_sessions().resume(request) if conf.adopt_sessions else None
                    _settle(tokens, taken_over or AnonymousUser())
                else:
                    _settle(tokens, found)
            except (RevocationListUnavailable, Error):
                logger.exception("A request could not be authenticated.")
                return _unavailable()
        return None

    def process_exception(self, request: TokenRequest, exception: Exception) -> HttpResponseBase | None:
        if isinstance(exception, (RevocationListUnavailable, *OUTAGES)):
            logger.error("A page could not be served during an outage.", exc_info=exception)
            return _unavailable()
        if not _vanished(request, exception):
            return None
        sid = request.tokens.session_id
        RefreshToken.objects.filter(pk=sid).revoke(RefreshToken.Reason.DELETED)
        get_revocation_list().add([sid])  # the row may be gone as well
        return HttpResponseRedirect(escape_leading_slashes(request.get_full_path()), status=303)

    def process_response(self, request: TokenRequest, response: HttpResponseBase) -> HttpResponseBase:
        tokens: RequestSession | None = getattr(request, "tokens", None)
        if tokens is None:
            return response
        tokens.answered = True
        written = False
        if _may_write(request):
            session = getattr(request, "session", None)
            if session is not None and session.modified:
                _read_session(request, response)
            if _can_still_prove(tokens) and response.status_code < 500:
                return fallbacks.response(request, Fallback.REPEAT)
            written = auth.write_cookies(request, response)
            if conf.adopt_sessions:
                _django_sessions().settle(request, response)
        by_cookie = tokens.accessed or written
        private = written or (tokens.claims and (tokens.accessed or tokens.bearer or response.streaming))
        if by_cookie or private:
            _limit_caching(response, by_cookie, private)
        return response


def _may_write(request: TokenRequest) -> bool:
    """Return whether the response may have to change what the browser holds, which may take the database."""
    tokens, session = request.tokens, getattr(request, "session", None)
    changed = tokens.outgoing or tokens.created or tokens.flushed or tokens.probe or tokens.told or tokens.telling
    return bool(changed or (session is not None and session.modified) or conf.adopt_sessions)


class LazyVisitor(SimpleLazyObject):
    """`request.user`, of which any use makes the response depend on the cookies.

    Django's own runs six functions when a view asks for a name: longer than all else here.
    """

    def __init__(self, request: TokenRequest) -> None:
        state = _own(self, "__dict__")
        state["_request"], state["_tokens"], state["_wrapped"] = request, request.tokens, empty

    def _setupfunc(self) -> Visitor:
        state = _own(self, "__dict__")
        return state["_found"] if state["_request"] is None else _visitor(state["_request"])

    def __getattribute__(self, name: str) -> Any:
        state = _own(self, "__dict__")
        state["_tokens"].accessed = True
        if name[:1] == "_":
            return super().__getattribute__(name)
        user = state["_wrapped"]
        if user is empty:
            user = state["_wrapped"] = LazyVisitor._setupfunc(self)
        return getattr(user, name)


_own = object.__getattribute__


class LoginRequiredMiddleware(middleware.LoginRequiredMiddleware):
    """Django's, except that a view that is open to everybody does not load its visitor."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        super().__init__(get_response)
        in_event_loop: bool = iscoroutinefunction(get_response)
        if in_event_loop and type(self).process_view is LoginRequiredMiddleware.process_view:
            self.process_view = self._process_view_async  # type: ignore[assignment,method-assign]

    async def _process_view_async(self, request: HttpRequest, view: View, *args: Any) -> HttpResponseBase | None:
        """Do as `process_view`: who is signed in stays in the event loop."""
        with suppress(SynchronousOnlyOperation):
            if not getattr(view, "login_required", True) or request.user.is_authenticated:
                return None
        return await sync_to_async(LoginRequiredMiddleware.process_view)(self, request, view, *args)

    def process_view(
        self,
        request: HttpRequest,
        view: View,
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> HttpResponseBase | None:
        if not getattr(view, "login_required", True):
            return None
        return super().process_view(request, view, args, kwargs)

    def handle_no_permission(self, request: HttpRequest, view: View) -> HttpResponseRedirect:
        """Redirect to the sign-in page; not back to a form that was lost, as its URL may have no page to show."""
        if request.method in ("GET", "HEAD"):
            return super().handle_no_permission(request, view)
        return HttpResponseRedirect(resolve_url(self.get_login_url(view)))


def _visitor(request: TokenRequest) -> Visitor:
    """Return who is asking where nobody judges, and nothing is handed out: before the view, at a sign-in, on a 404."""
    tokens = request.tokens
    tokens.accessed = tokens.asked = True
    tokens.judged = False
    try:
        found = authenticate(request, fresh=_needs_fresh(request))
        return AnonymousUser() if isinstance(found, Refusal) else found
    except (RevocationListUnavailable, Error):
        logger.exception("A request could not be authenticated.")
        return AnonymousUser()


def _fall_back(request: TokenRequest, view: View, sid: str) -> HttpResponseBase | None:
    """Return what has a browser prove the key of its session; None if the visitor is nobody.

    The page to sign in is shown to everybody: it is the way out for whoever has lost the key.
    """
    if getattr(view, "tokens_starts_or_ends_session", False):
        return None
    fallbacks.report(request, sid)
    fallback = fallbacks.choose(request, open_to_all=not getattr(view, "login_required", True))
    if fallback is Fallback.ANONYMOUS:
        return None
    if fallback is Fallback.LATER:
        return _unavailable(60, unproven=True, form=request.method not in fallbacks.SAFE_METHODS)
    return fallbacks.response(request, fallback)


def _can_still_prove(tokens: RequestSession) -> bool:
    """Return whether a sign-out ended nothing for want of a mark that its browser may be able to get."""
    return tokens.flushed and tokens.unproven and not tokens.tried and not tokens.bearer


def _settle(tokens: RequestSession, user: Visitor) -> None:
    """Have the lazy object that is `request.user`, or that another middleware has wrapped, answer as `user`.

    It no longer refers to the request then, which would otherwise have to wait for the garbage collector. If a
    middleware has looked at it before, it stays the same object for the same person, with what was set on it.
    """
    state = _own(tokens.visitor, "__dict__")
    tokens.visitor = state["_request"] = None
    state["_found"] = user  # for packages that have it looked up once more, as allauth.headless does
    seen = state["_wrapped"]
    if seen is empty or seen.pk != user.pk:
        state["_wrapped"] = user
    elif tokens.row:  # of which it may say less, or what was true a moment ago
        seen.__class__ = type(user)
        vars(seen).update(vars(user))


def _django_sessions() -> ModuleType:
    """Return the take-over of Django's sessions, which only sites that move from them import."""
    return import_module(".contrib.django_sessions", __package__)


def _vanished(request: TokenRequest, exception: Exception) -> bool:
    """Return whether the user was deleted while the view ran: what it then saved of them found no row."""
    claims = request.tokens.claims
    return isinstance(exception, users.UserVanished) or (
        isinstance(exception, DatabaseError)
        and claims is not None
        and users.from_db_or_none(users.key_of(claims.sub)) is None
    )


def _loaded_visitor(request: TokenRequest) -> Visitor:
    """Return whoever `request.user` is at that moment, loaded in this thread and not in the event loop."""
    try:
        return users.loaded(request.user)
    except users.UserVanished:
        return AnonymousUser()


_aloaded_visitor = sync_to_async(_loaded_visitor)  # made once, as making one costs more than all else here


def _needs_fresh(request: TokenRequest) -> bool:
    """Return whether the view guards the account: then the row is read, and an ended session is out at once."""
    match = request.resolver_match
    return match is not None and (
        getattr(match.func, "tokens_fresh_session_required", False) or "admin" in match.app_names
    )


def _needs_proof(request: TokenRequest, view: View) -> bool:
    """Return whether a bound session opens this view, which guards the account, only with a young mark.

    Not the page that asks who it is, which is for browsers that cannot prove their key just now. The page to sign in
    shows nothing; whoever was redirected there for want of a young mark must not be redirected back.
    """
    match = request.resolver_match
    if match is not None and match.view_name == conf.reauthentication_url:
        return False
    return request.tokens.tried or not getattr(view, "tokens_starts_or_ends_session", False)


def _read_session(request: TokenRequest, response: HttpResponseBase) -> None:
    """Act on what the view has done to Django's session: emptied it, said how long it lasts, or left a hash.

    The hash can only be from `update_session_auth_hash`: those of `login()` were taken out.
    """
    tokens = request.tokens
    if tokens.session_flushed and not (tokens.created or tokens.flushed):
        auth.end(request)
    auth.follow_expiry(request)
    session_hash = request.session.pop(HASH_SESSION_KEY) if stores(request.session, HASH_SESSION_KEY) else None
    if session_hash and response.status_code < 500:
        try:
            auth.cycle_after_password_change(request, session_hash)
        except (RevocationListUnavailable, Error):  # the password is changed, so only this browser has to sign in again
            logger.exception("A browser could not be kept signed in after a change of its password.")
    _own_session(request)


def _own_session(request: TokenRequest) -> None:
    """Note whose the Django session is, for the next user who signs in here; do not set a cookie for an empty one."""
    if not request.session.keys():
        request.session.flush()
    elif claims := request.tokens.claims:
        request.session[OWNER] = claims.sub


def _limit_caching(response: HttpResponseBase, by_cookie: bool, private: object) -> None:
    """Say that the response depends on cookies, and keep it out of shared caches if it is of somebody signed in.

    What the view itself said of caches stands if that keeps it out as well. `_store` is where Django keeps headers: to
    ask its mapping whether there is one, and to set it, takes longer than all that the middleware does before the view.
    """
    store = response.headers._store
    if by_cookie and "vary" in store:
        patch_vary_headers(response, ("Cookie",))
    elif by_cookie:
        store["vary"] = ("Vary", "Cookie")
    if private and not ("cache-control" in store and _keeps_out(store["cache-control"][1])):
        store["cache-control"] = ("Cache-Control", "private, no-store")


def _keeps_out(cache_control: str) -> bool:
    said = {directive.strip() for directive in cache_control.lower().split(",")}
    return not said.isdisjoint({"private", "no-store"})


def _unavailable(seconds: int = 5, **context: bool) -> HttpResponse:
    """Return a 503 while requests cannot be authenticated: better no answer than a wrong one. The cookies stay."""
    try:
        page: str = loader.render_to_string("503.html", context)
    except TemplateDoesNotExist:
        page = "Please try again in a moment."
    return HttpResponse(page, status=503, headers={"Retry-After": str(seconds)})
