"""Render the pages for errors that Django itself notices."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseServerError
from django.http.request import split_domain_port
from django.shortcuts import render
from django.template import loader
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.security import carried_forms

# What Django says of a token that belongs to another cookie: somebody has signed in since the form was opened.
STALE = "CSRF token from POST incorrect."
# Forms that are of no use to whoever has signed in on another page; their own URL leads on.
NEEDLESS = ("login", "signup")
LOCAL = ("localhost", "127.0.0.1", "[::1]")


def server_error(request: HttpRequest) -> HttpResponse:
    """Return Django's page for a 500, with the id of the request, by which a user can refer to a line in the log.

    It uses nothing else of the request, which may itself be broken.
    """
    context = {"request_id": getattr(request, "id", "")}
    return HttpResponseServerError(loader.render_to_string("500.html", context))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Return Django's page for a form that may have been forged, which leads back to the page that it was on.

    If it was opened before a sign-in in another tab, it can be sent again: that takes a click, since whoever signed in
    may be somebody else. It says what to do if the browser is Safari.
    Browsers take http://localhost to be as good as https, and keep its `Secure` cookies. WebKit does not.
    """
    here, _ = split_domain_port(request.get_host())
    refused = settings.COOKIES_SECURE and not request.is_secure() and settings.CSRF_COOKIE_NAME not in request.COOKIES
    back = request.META.get("HTTP_REFERER", "")
    if not url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure()):
        back = request.get_full_path()
    view_name = request.resolver_match.view_name if request.resolver_match else ""
    context = {
        "secure_cookies_refused": refused and here in LOCAL,
        "back": back,
        "signed_in_already": view_name in NEEDLESS and request.user.is_authenticated,
        "carried": carried_forms.unsent(request) if reason == STALE else None,
    }
    return render(request, "403_csrf.html", context, status=403)
