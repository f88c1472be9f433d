"""Keep what users type, lead them to what comes first, tell times in their zone, and explain refusals."""

import logging
from functools import cache
from typing import ClassVar
from urllib.parse import urljoin

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import Resolver404, resolve, reverse
from django.utils import timezone, translation
from django.utils.deprecation import MiddlewareMixin
from django.utils.http import escape_leading_slashes

from accounts.email import policy as email_policy
from accounts.factors import attempts
from accounts.factors import policy as factors_policy
from accounts.models import User
from accounts.security import carried_forms, hashers, limits, throttle
from accounts.security.next_url import asked_for, leading_to
from accounts.security.repeated_forms import SentForm, sent_form
from accounts.security.throttle import Overloaded, Throttled
from accounts.types import Request
from accounts.views.sign_in import SignIn
from tokens import middleware

logger = logging.getLogger("accounts")


class RepeatedFormMiddleware(MiddlewareMixin):
    """Answer a form that is sent twice as it was answered the first time (accounts/security/repeated_forms.py).

    It stands outside of everything that sets a cookie of a browser, and answers even if what the first one did has
    ended the session that both came with. A crowd is turned away here, before anything else is done.
    """

    CROWDED: ClassVar = {"login": limits.SIGN_IN, "signup": limits.SIGN_UP}  # where strangers' forms are hashed

    def process_request(self, request: HttpRequest) -> HttpResponseBase | None:
        try:
            if request.method == "POST" and (limit := self.CROWDED.get(resolve(request.path_info).view_name)):
                throttle.check_capacity(request, limit)
        except Overloaded as overloaded:
            return _turn_away(request, overloaded)
        except Resolver404:
            pass
        form = sent_form(request)
        if form is None:
            return None
        if not form.is_first():
            return self._first_answer(request, form)
        request.sent_form = form  # type: ignore[attr-defined]
        return None

    def _first_answer(self, request: HttpRequest, form: SentForm) -> HttpResponseBase | None:
        """Wait in the queue for hashes: copies of one form must not hold more threads than guesses may.

        They get a part of these alone, or whoever signs in would be turned away while some form is pending.
        """
        if not hashers.queue.join_as_copy(request, limits.STRANGERS_SHARE):
            return _turn_away(request, Overloaded())
        try:
            return form.first_answer()
        finally:
            hashers.queue.leave(request)

    def process_response(self, request: Request, response: HttpResponseBase) -> HttpResponseBase:
        """Keep the answer if the form did something: the view was reached, and then redirected or signed in."""
        form: SentForm | None = getattr(request, "sent_form", None)
        view = getattr(request, "reached_view", None)
        if form and view and not getattr(view, "repeatable", False) and self._acted(request, response):
            form.keep(response)
        elif form:
            form.forget()
        return response

    def _acted(self, request: Request, response: HttpResponseBase) -> bool:
        return response.status_code in (302, 303) or (request.tokens.created and not response.streaming)


class SecondFactorMiddleware(MiddlewareMixin):
    """Lead to the second factor of whoever has one, however their sign-in began (accounts/factors/attempts.py).

    It stands right behind the middleware that sets `request.tokens`.
    """

    # Whoever comes to these pages next in this browser may be somebody else.
    ABANDONING = frozenset({"login", "passkey_login", "signup", "logout", "password_reset", "password_reset_confirm"})
    ASKING = frozenset({"second_factor", "factors_lost"})
    # What becomes of a view that goes on with the user it has just signed in, such as allauth's.
    MISSING_USER = (AssertionError, AttributeError)

    def process_view(self, request: Request, view: object, args: object, kwargs: object) -> None:
        match = request.resolver_match
        if match and match.view_name in self.ABANDONING and settings.ATTEMPT_COOKIE_NAME in request.COOKIES:
            attempts.forget(request)
            request.attempt_forgotten = True  # type: ignore[attr-defined]

    def process_response(self, request: Request, response: HttpResponseBase) -> HttpResponseBase:
        user = request.tokens.held
        if user is not None and response.status_code < 500 and not self._asks(request, user):
            secret = attempts.start(request, user, next=self._location(request, response))
            leading = HttpResponseRedirect(reverse("second_factor"), status=303)
            leading.cookies = response.cookies
            attempts.set_cookie(leading, secret)
            return leading
        if getattr(request, "attempt_forgotten", False):
            attempts.delete_cookie(response)
        return response

    def process_exception(self, request: Request, exception: Exception) -> HttpResponse | None:
        """Lead to the second factor even if the view fails, as it finds nobody signed in."""
        if request.tokens.held is None or not isinstance(exception, self.MISSING_USER):
            return None
        logger.warning("A view failed whose sign-in waits for a second factor.", exc_info=exception)
        return HttpResponse()

    def _asks(self, request: Request, user: User) -> bool:
        """Return whether `user`, whom a middleware such as Django's for REMOTE_USER signs in each time, is being asked.

        Then they are where they were led before.
        """
        match = request.resolver_match
        attempt = attempts.current(request) if match and match.view_name in self.ASKING else None
        return attempt is not None and attempt.user == user

    def _location(self, request: Request, response: HttpResponseBase) -> str:
        """Return where `response` leads, which it may say as seen from the page that was asked for; or ""."""
        location = response.headers.get("Location", "")
        return location and urljoin(escape_leading_slashes(request.get_full_path()), location)


class LoginRequiredMiddleware(middleware.LoginRequiredMiddleware):
    """Let users open a page once they have signed in, and done what else has to come first.

    Pages that are open to everybody ask for no more than whether a requested deletion stands. The row of the session is
    looked at only where it was read anyway: on the pages that guard the account, in the admin, and at each refresh. So
    this costs no query, and no token has to carry what the row says.
    """

    # Until the end users can export their data, confirm who they are for that, and read the pages in their language.
    OPEN_BEFORE_DELETION = frozenset({"deletion_cancel", "export", "language", "provider_confirm", "provider_callback"})
    OPEN_WITHOUT_FACTOR = OPEN_BEFORE_DELETION.union(
        ("security", "authenticator", "passkey_add", "passkey_name", "recovery_codes", "confirm")
    )

    def process_view(  # type: ignore[override]
        self, request: Request, view: middleware.View, args: tuple[object, ...], kwargs: dict[str, object]
    ) -> HttpResponseBase | None:
        if not getattr(view, "login_required", True):
            return self._keep_or_delete(request)
        return (
            super().process_view(request, view, args, kwargs)
            or self._keep_or_delete(request)
            or self._second_factor(request)
            or self._verified_email(request, view)
        )

    def handle_no_permission(self, request: Request, view: middleware.View) -> HttpResponseBase:  # type: ignore[override]
        """Have the sign-in page carry the form of whoever's session ended (accounts/security/carried_forms.py)."""
        if carried := carried_forms.carry(request):
            return SignIn.as_view(carried_form=carried)(request)
        return super().handle_no_permission(request, view)

    def _keep_or_delete(self, request: Request) -> HttpResponse | None:
        """Ask users who sign in although they have requested deletion whether they would rather keep the account.

        Without an answer only the front page stays open.
        """
        row = request.tokens.row
        if row is None or row.user is None or row.user.deletion_due_at is None:
            return None
        return None if _view_name(request) in self.OPEN_BEFORE_DELETION else redirect("deletion_cancel")

    def _second_factor(self, request: Request) -> HttpResponse | None:
        """Lead users who have to have a second factor to set one up, or to show it (REQUIRE_SECOND_FACTOR_FOR)."""
        row = request.tokens.row
        if row is None or not isinstance(row.user, User) or _view_name(request) in self.OPEN_WITHOUT_FACTOR:
            return None
        if factors_policy.may_go_on(row.user, row.amr.split()):
            return None
        page = "confirm" if factors_policy.has_factor(row.user) else "security"
        return redirect(leading_to(page, asked_for(request)))

    def _verified_email(self, request: Request, view: middleware.View) -> HttpResponse | None:
        """Redirect users to verify their email. The admin is guarded, but it is not the user's own account."""
        account = getattr(view, "tokens_fresh_session_required", False) and not _within_admin(request)
        return None if email_policy.can_open(request.user, account=account) else redirect("email_verify")


class PageMiddleware(MiddlewareMixin):
    """Tell users times in their zone, and explain why a request was refused, without losing what they typed.

    The zone is that of their profile, for browsers without scripts. The row of the session has it, and was read anyway
    on every page that has times, so it costs no query. The admin stays in the site's zone: its figures are the same for
    all.

    An attempt that is throttled gets status 429 or 503 and the time to wait: a page of its own, or the form with what
    was typed. A request by the wrong method gets a page, too: Django's response has the header Allow (RFC 9110
    §15.5.6) and an empty body. Responses to machines stay as they are.
    """

    def process_view(self, request: Request, view: object, args: object, kwargs: object) -> None:
        """Note that no middleware has refused the request: this one is the last."""
        request.reached_view = view  # type: ignore[attr-defined]
        row = request.tokens.row
        if row and row.user and not _within_admin(request):
            timezone.activate(row.user.zone)
            request.in_own_zone = True  # type: ignore[attr-defined]

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, Overloaded):
            return _turn_away(request, exception)
        return render(request, "429.html", {"throttled": exception}) if isinstance(exception, Throttled) else None

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        hashers.queue.leave(request)
        if getattr(request, "in_own_zone", False):
            timezone.deactivate()
        throttled: Throttled | None = getattr(request, "throttled", None)
        if isinstance(response, HttpResponseNotAllowed) and not response.content:
            return self._not_allowed(request, response)
        if throttled and response.status_code == 200:
            response.status_code = throttled.status
            response.headers["Retry-After"] = str(throttled.retry_after)
        return response

    def _not_allowed(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        view = request.resolver_match.func if request.resolver_match else None
        if getattr(view, "tokens_anonymous_only", False):
            return response
        page = render(request, "405.html", status=405)
        page.headers["Allow"] = response.headers["Allow"]
        page.cookies = response.cookies
        return page


def _view_name(request: HttpRequest) -> str:
    return request.resolver_match.view_name if request.resolver_match else ""


def _within_admin(request: HttpRequest) -> bool:
    return request.resolver_match is not None and "admin" in request.resolver_match.app_names


def _turn_away(request: HttpRequest, overloaded: Overloaded) -> HttpResponse:
    """Return a page that costs next to nothing; to reload it sends the form again."""
    page = _page_for_crowds(translation.get_language_from_request(request))
    return HttpResponse(page, status=overloaded.status, headers={"Retry-After": str(overloaded.retry_after)})


@cache
def _page_for_crowds(language: str) -> str:
    with translation.override(language):
        return render_to_string("503.html", {"overloaded": Overloaded(), "form": True})
