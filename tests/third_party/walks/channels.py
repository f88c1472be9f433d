"""Channels behind a real server: a socket, and an event stream, that go on past the end of their access token, and a
socket that refreshes it."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Event, Thread
from typing import Any
from urllib.request import Request, urlopen

from django.http import HttpRequest, StreamingHttpResponse

from tests.third_party.walks import fresh
from tests.third_party.walks.people import browser, log_in, person

SETTINGS = """
INSTALLED_APPS += ["channels"]
ALLOWED_HOSTS += ["127.0.0.1"]
TOKENS_REVOCATION_LAG = 0
"""
URLS = (
    fresh.URLS
    + """
from tests.third_party.walks.channels import events

urlpatterns += [path("events/", events)]
"""
)
expired = Event()


async def events(request: HttpRequest) -> StreamingHttpResponse:
    from asgiref.sync import sync_to_async

    async def stream() -> AsyncIterator[str]:
        yield f"data: {request.user.get_username()}\n"
        await sync_to_async(expired.wait, thread_sensitive=False)()
        user = await request.auser()
        yield f"data: {user.email} {request.user.get_username()}\n"

    return StreamingHttpResponse(stream(), content_type="text/event-stream")


def walk() -> None:
    behind(serving)


def behind(serving: Callable[[], AbstractContextManager[str]], drops_headers: bool = False) -> None:
    person("bob")
    bob = browser()
    log_in(bob, "bob")
    access, refresh = (f"{name}={bob.cookies[name].value}" for name in ("__Host-access", "__Host-refresh"))
    with serving() as address:
        a_stream(address, access)
        a_refresh(address, refresh, drops_headers)
        a_socket(address, access)


def a_stream(address: str, cookie: str) -> None:
    from django.test import override_settings

    def ask(url: str) -> Any:
        return urlopen(Request(f"http://{address}{url}", headers={"Cookie": cookie}), timeout=60)

    with ask("/events/") as stream:
        assert stream.readline() == b"data: bob\n"
        with override_settings(TOKENS_ACCESS_LIFETIME=-1), ask("/who/") as page:
            assert b"nobody" in page.read()
            expired.set()
            assert stream.read() == b"data: bob@example.org bob\n"


def a_refresh(address: str, cookie: str, drops_headers: bool) -> None:
    from websockets.sync.client import connect

    headers = {"Cookie": cookie}
    with connect(f"ws://{address}/ws/", origin=f"http://{address}", additional_headers=headers) as socket:
        socket.send("hello")
        assert socket.recv(timeout=60) == "hello bob"
        names = {cookie.partition("=")[0] for cookie in socket.response.headers.get_all("Set-Cookie")}
        assert names == (set() if drops_headers else {"__Host-access", "__Host-refresh"})


def a_socket(address: str, cookie: str) -> None:
    from django.test import override_settings
    from websockets.exceptions import ConnectionClosed, InvalidStatus
    from websockets.sync.client import connect

    from tokens.contrib.channels import ENDED
    from tokens.models import RefreshToken

    def connected(origin: str = f"http://{address}", cookie: str = cookie) -> Any:
        return connect(f"ws://{address}/ws/", origin=origin, additional_headers={"Cookie": cookie})

    def says(socket: Any) -> str:
        socket.send("hello")
        return str(socket.recv(timeout=60))

    try:
        connected(origin="http://example.com")
        raise AssertionError("Any site could connect.")
    except InvalidStatus as refusal:
        assert refusal.response.status_code == 403
    with connected(cookie="") as nobody:
        assert says(nobody) == "hello nobody"
    with connected() as socket:
        assert says(socket) == "hello bob"
        with override_settings(TOKENS_ACCESS_LIFETIME=-1), connected() as late:
            assert says(socket) == "hello bob" and says(late) == "hello nobody"
        RefreshToken.objects.get().revoke("admin")
        try:
            says(socket)
            raise AssertionError("The session has ended, and the socket has not.")
        except ConnectionClosed as closed:
            assert closed.rcvd is not None and closed.rcvd.code == ENDED


def application() -> Any:
    from channels.generic.websocket import AsyncWebsocketConsumer
    from channels.routing import ProtocolTypeRouter, URLRouter
    from channels.security.websocket import AllowedHostsOriginValidator
    from django.core.asgi import get_asgi_application
    from django.urls import path

    from tokens.contrib.channels import AuthMiddlewareStack

    class Echo(AsyncWebsocketConsumer):  # type: ignore[misc]
        async def receive(self, text_data: str = "", bytes_data: bytes = b"") -> None:
            await self.send(f"{text_data} {self.scope['user'].get_username() or 'nobody'}")

    sockets = URLRouter([path("ws/", Echo.as_asgi())])  # type: ignore[arg-type]
    return ProtocolTypeRouter(
        {
            "http": get_asgi_application(),
            "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(sockets)),
        }
    )


@contextmanager
def serving() -> Iterator[str]:
    """Serve as long as the block lasts. Yield host and port."""
    import uvicorn

    config = uvicorn.Config(application(), port=0, lifespan="off", ws="websockets-sansio", log_level="error")
    server = uvicorn.Server(config)
    thread = Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
