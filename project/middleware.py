"""Add to every request and response what the whole site needs."""

import ipaddress
from collections.abc import Callable

from django.conf import settings
from django.conf.urls.i18n import is_language_prefix_patterns_used
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.deprecation import MiddlewareMixin
from whitenoise.middleware import WhiteNoiseMiddleware

from project import csp, request_id


class SiteMiddleware(MiddlewareMixin):
    """Prepare every request, and complete every response; it stands outside of everything that makes a response.

    * The request gets its id (project/request_id.py), and its `REMOTE_ADDR` is the visitor's.
    * No shared cache stores a response that sets a cookie: a cache may store Set-Cookie as well.
    * Pages of other sites, unused browser features and all that SECURE_CSP does not name are kept away from ours.
      Django's SecurityMiddleware sends the other headers and has no setting for these.
    * HEAD is answered with the headers of GET, Content-Length included (RFC 9110 §9.3.2), and no body. Django leaves
      it to the server to drop the body, and gunicorn logs a warning for each.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        super().__init__(get_response)
        self.policy = csp.policy()

    def process_request(self, request: HttpRequest) -> None:
        request_id.assign(request)
        if settings.TRUSTED_PROXIES:
            _set_client_ip(request, settings.TRUSTED_PROXIES)

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response.headers[request_id.HEADER] = request.id  # type: ignore[attr-defined]
        if response.cookies:
            response.headers["Cache-Control"] = "private, no-store"
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.headers.setdefault("Permissions-Policy", settings.PERMISSIONS_POLICY)
        if not (settings.DEBUG and response.status_code in (404, 500)):  # Django's pages for developers have styles
            response.headers.setdefault("Content-Security-Policy", self.policy)
        if request.method == "HEAD" and isinstance(response, HttpResponse):
            response.headers.setdefault("Content-Length", str(len(response.content)))
            response.content = b""
        return response


def _set_client_ip(request: HttpRequest, hops: int) -> None:
    """Set `REMOTE_ADDR` to the visitor's IP address behind this many proxies.

    Each proxy appends the IP address that it saw to `X-Forwarded-For`, so the entries are trusted from the right, one
    for each proxy; anything further left was written by the visitor. Without a proxy the header is never read.
    """
    seen = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    if len(seen) >= hops:
        request.META["REMOTE_ADDR"] = bare_ip_address(seen[-hops])


def bare_ip_address(entry: str) -> str:
    """Return the IP address in `192.0.2.1:80`, `[2001:db8::1]:80` or a plain one, or "" if there is none."""
    entry = entry.strip()
    if entry.startswith("["):
        entry = entry[1:].partition("]")[0]
    elif entry.count(":") == 1:
        entry = entry.partition(":")[0]
    try:
        return str(ipaddress.ip_address(entry))
    except ValueError:
        return ""


class LanguageMiddleware(LocaleMiddleware):
    """Activate the language that was chosen in this browser, or else the one that the browser asks for.

    It differs from Django's in four ways. It tells caches that a cookie decides as well, and keeps the pages out of
    shared ones, some of which ignore Vary. Responses to machines are always in one language, so they do not vary. It
    deactivates the language at the end: otherwise a request that is refused before it comes here would be answered in
    the language of the previous one. And it looks for no language in the path unless `i18n_patterns` puts one there.
    """

    def process_request(self, request: HttpRequest) -> None:
        if _languages_are_in_paths(request):
            super().process_request(request)
        else:
            request.LANGUAGE_CODE = translation.get_language_from_request(request)
            translation.activate(request.LANGUAGE_CODE)

    def process_view(self, request: HttpRequest, view: object, args: object, kwargs: object) -> None:
        if getattr(view, "tokens_anonymous_only", False):
            request.one_language = True  # type: ignore[attr-defined]
            request.LANGUAGE_CODE = settings.LANGUAGE_CODE
            translation.activate(settings.LANGUAGE_CODE)

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        language = translation.get_language()
        if not getattr(request, "one_language", False):
            if _languages_are_in_paths(request):
                response = super().process_response(request, response)
            if response.headers.get("Vary", "Cookie") == "Cookie":  # the usual case, in which there is nothing to parse
                response.headers["Vary"] = "Cookie, Accept-Language"
            else:
                patch_vary_headers(response, ("Cookie", "Accept-Language"))
            response.headers.setdefault("Content-Language", language or settings.LANGUAGE_CODE)
            response.headers.setdefault("Cache-Control", "private")
        if language != settings.LANGUAGE_CODE:  # which is in force without any, so that the usual case costs nothing
            translation.deactivate()
        return response


def _languages_are_in_paths(request: HttpRequest) -> bool:
    return is_language_prefix_patterns_used(getattr(request, "urlconf", settings.ROOT_URLCONF))[0]


class StaticFilesMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc]  # it has no types
    """Serve static files, but not the manifest, which lists those that only the admin's pages name."""

    def add_file_to_dictionary(self, url: str, path: str, stat_cache: object = None) -> None:
        if not url.endswith("/staticfiles.json"):
            super().add_file_to_dictionary(url, path, stat_cache=stat_cache)
