"""Test clients whose `force_login`, `login` and `logout` start and end real sessions, with Django's signatures."""

from __future__ import annotations

from collections.abc import Callable
from http.cookies import SimpleCookie
from typing import Any

from asgiref.sync import sync_to_async
from django import test
from django.contrib import auth
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse

from .middleware import TokenMiddleware

pytest_plugins = [f"{__package__}.pytest_fixtures"]  # of whoever has pytest load this module


class _SessionMixin:
    """Pass requests with the client's cookies through the middleware, and keep the cookies that come back."""

    cookies: SimpleCookie

    @property
    def session(self) -> Any:
        """Return Django's session of this client, which shows the keys of a sign-in as it does in a view."""
        request = self._request()
        request.session = super().session  # type: ignore[misc]
        TokenMiddleware(lambda request: HttpResponse()).process_request(request)
        return request.session

    async def asession(self) -> Any:
        return await sync_to_async(lambda: self.session)()

    def logout(self) -> None:
        self._pass(auth.logout)
        self.cookies = SimpleCookie()

    async def alogout(self) -> None:
        await sync_to_async(self.logout)()

    def _login(self, user: Any, backend: str | None = None) -> None:
        self._pass(lambda request: auth.login(request, user, backend))

    async def _alogin(self, user: Any, backend: str | None = None) -> None:
        await sync_to_async(self._login)(user, backend)

    def _pass(self, act: Callable[[HttpRequest], None]) -> None:
        def view(request: HttpRequest) -> HttpResponse:
            act(request)
            return HttpResponse()

        stack: Any = TokenMiddleware(view)
        response: Any = SessionMiddleware(stack)(self._request())
        self.cookies.update(response.cookies)

    def _request(self) -> Any:
        factory = test.RequestFactory()
        factory.cookies = self.cookies
        return factory.post("/")


class Client(_SessionMixin, test.Client):
    """`django.test.Client` for sites whose sessions are tokens."""


class AsyncClient(_SessionMixin, test.AsyncClient):
    """`django.test.AsyncClient`, likewise."""


class TestMixin:
    """Put the clients in place of Django's: `class Tests(TestMixin, TestCase)`."""

    client_class = Client
    async_client_class = AsyncClient


def browser_cookies(user: Any, url: str, backend: str | None = None) -> list[dict[str, Any]]:
    """Open a session of `user`, and return its cookies for Playwright's `context.add_cookies()`.

    `url` is that of the live server. Secure cookies are only taken for https, and then sent to http://localhost, too.
    Selenium's `add_cookie()` takes their `name`, `value` and `secure`, once a page of the site is open.
    """
    client = Client()
    client.force_login(user, backend)
    about = {"url": url.replace("http://", "https://"), "secure": True, "httpOnly": True, "sameSite": "Lax"}
    return [{"name": name, "value": morsel.value, **about} for name, morsel in client.cookies.items()]
