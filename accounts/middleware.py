"""What the pages of this app have in common, on their way in and out."""

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.deprecation import MiddlewareMixin

from accounts.email import policy as email_policy
from accounts.security.throttle import Throttled
from accounts.types import Request


class EmailVerificationMiddleware(MiddlewareMixin):
    """Whoever may not go on before their address is confirmed is led to the page for that. Stands behind the
    middleware that asks for a log-in; open pages are open to them as well."""

    def process_view(self, request: Request, view: object, args: object, kwargs: object) -> HttpResponse | None:
        if not getattr(view, "login_required", True):
            return None
        match = request.resolver_match
        within_admin = match is not None and "admin" in match.app_names  # guarded, but nobody's own account
        account = getattr(view, "tokens_fresh_session_required", False) and not within_admin
        return None if email_policy.can_open(request.user, account=account) else redirect("email_verify")


class RefusalPagesMiddleware(MiddlewareMixin):
    """People read why they were refused, and what they sent is not lost.

    * Whatever was tried too often is a 429 that says when: a page of its own, or the form with what was typed.
    * Whoever opens an address that only takes forms, or sends one to a page that takes none, reads so: Django's answer
      has the header Allow (RFC 9110 §15.5.6) and nothing to see. What is for machines stays as it is.
    """

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return render(request, "429.html", {"throttled": exception}) if isinstance(exception, Throttled) else None

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        throttled: Throttled | None = getattr(request, "throttled", None)
        if isinstance(response, HttpResponseNotAllowed) and not response.content:
            return self._not_allowed(request, response)
        if throttled and response.status_code == 200:
            response.status_code = 429
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


class PendingDeletionMiddleware(MiddlewareMixin):
    """Whoever has asked to be deleted, and signs in all the same, is asked first whether they would rather stay.

    It looks where the row of the sign-in was read anyway: at the pages that guard the account, in the admin, at each
    refresh. So it costs no query and no token says it; what is left to them without an answer is the front page.
    """

    # Their data are theirs to the end, and so is what they understand.
    STILL_OPEN = frozenset({"keep", "export", "language"})

    def process_view(self, request: Request, view: object, args: object, kwargs: object) -> HttpResponse | None:
        row = request.tokens.row
        if row is None or row.user is None or row.user.deletion_due_at is None:
            return None
        match = request.resolver_match
        return None if match and match.view_name in self.STILL_OPEN else redirect("keep")
