"""What the site adds to every request and response, whichever app answers."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.deprecation import MiddlewareMixin


class ResponseHeadersMiddleware(MiddlewareMixin):
    """What every response says, or leaves unsaid, whoever makes it; stands outside of all that make one.

    * No shared cache keeps a response that sets a cookie, whoever sets it: a cache may keep Set-Cookie as well.
    * Other sites' pages and unused browser features are kept away from ours. Django's own SecurityMiddleware sends the
      other headers and has no setting for these two.
    * HEAD is answered by the headers of GET, Content-Length included (RFC 9110 §9.3.2), and by no body. Django leaves
      it to the server to drop the body, and gunicorn writes a warning about each.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if response.cookies:
            response.headers["Cache-Control"] = "private, no-store"
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.headers.setdefault("Permissions-Policy", settings.PERMISSIONS_POLICY)
        if request.method == "HEAD" and isinstance(response, HttpResponse):
            response.headers.setdefault("Content-Length", str(len(response.content)))
            response.content = b""
        return response


class ClientIPMiddleware(MiddlewareMixin):
    """`REMOTE_ADDR` becomes the visitor's address where `TRUSTED_PROXIES` proxies stand in front.

    Each proxy appends the address that it saw to `X-Forwarded-For`, so the entries are trusted from the right,
    one a proxy; whatever stands further left was written by the visitor. With no proxy the header is never read.
    """

    def process_request(self, request: HttpRequest) -> None:
        hops = settings.TRUSTED_PROXIES
        seen = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if hops and len(seen) >= hops:
            request.META["REMOTE_ADDR"] = bare_ip_address(seen[-hops])


def bare_ip_address(entry: str) -> str:
    """The address in `192.0.2.1:80`, `[2001:db8::1]:80` or a plain address; an empty string if there is none."""
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
    """Pages speak the language that was chosen in this browser, or else the one that the browser asks for.

    Django's own, but for three things. Caches are told that a cookie decides as well, and shared ones, some of which
    know no Vary, to keep nothing. What is for machines is in one language, whoever asks, and so varies by none. And the
    thread forgets the language: what is refused before a request comes here would be told in that of somebody else.
    """

    def process_view(self, request: HttpRequest, view: object, args: object, kwargs: object) -> None:
        if getattr(view, "tokens_anonymous_only", False):
            request.one_language = True  # type: ignore[attr-defined]
            request.LANGUAGE_CODE = settings.LANGUAGE_CODE
            translation.activate(settings.LANGUAGE_CODE)

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if not getattr(request, "one_language", False):
            response = super().process_response(request, response)
            patch_vary_headers(response, ("Cookie",))
            response.headers.setdefault("Cache-Control", "private")
        translation.deactivate()
        return response
