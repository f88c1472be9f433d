"""Requests octet by octet, past every client that would mend them: through WSGI, through ASGI, over a socket."""

from __future__ import annotations

import asyncio
import re
import socket
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

from asgiref.sync import async_to_sync
from django.core.asgi import get_asgi_application
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections

Headers = list[tuple[str, str]]
FORM = "application/x-www-form-urlencoded"


@dataclass
class Answer:
    status: int
    headers: Headers
    body: bytes = field(repr=False)

    def all(self, name: str) -> list[str]:
        return [value for header, value in self.headers if header.lower() == name.lower()]

    def header(self, name: str) -> str:
        return ", ".join(self.all(name))

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that it sets or deletes."""
        jar: SimpleCookie = SimpleCookie()
        for line in self.all("Set-Cookie"):
            jar.load(line)
        return {name: morsel.value for name, morsel in jar.items()}

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def form_token(self) -> str:
        return re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.text)[1]


def jar_after(cookie: bytes, answer: Answer, *, first: bool = True) -> bytes:
    """The Cookie header of a browser that sent `cookie` and got `answer`: what is set anew replaces its namesakes."""
    ours = {name.encode(): value.encode() for name, value in answer.cookies.items()}
    old = [part for part in cookie.split(b";") if part.partition(b"=")[0].strip(b" ") not in ours]
    new = [name + b"=" + value for name, value in ours.items() if value]
    return b";".join(old + new if first else new + old).strip()


class Way(ABC):
    """A way to the site. `cookie` is the Cookie header's value, octet by octet; a form is posted with `fields`."""

    def get(self, path: str, cookie: bytes = b"", **headers: str) -> Answer:
        return self.ask("GET", path, cookie, b"", headers)

    def post(self, path: str, cookie: bytes = b"", fields: dict[str, str] | None = None, **headers: str) -> Answer:
        return self.ask("POST", path, cookie, urlencode(fields or {}).encode(), {"Content_Type": FORM, **headers})

    def sign_in(
        self, name: str, password: str, cookie: bytes = b"", *, first: bool = True, form: Answer | None = None
    ) -> tuple[Answer, bytes]:
        """Fills in the log-in form with `cookie` in the jar all the time, before our own cookies or else behind them.

        Returns the answer to the form, and the jar after it. `form` is the page, if it has been fetched.
        """
        form = form or self.get("/accounts/login/", cookie)
        jar = jar_after(cookie, form, first=first)
        fields = {"csrfmiddlewaretoken": form.form_token, "username": name, "password": password}
        answer = self.post("/accounts/login/", jar, fields)
        return answer, jar_after(jar, answer, first=first)

    @abstractmethod
    def ask(self, method: str, path: str, cookie: bytes, body: bytes, headers: dict[str, str]) -> Answer: ...


@contextmanager
def kept_connections() -> Iterator[None]:
    """The database of a test goes on being the test's, as under Django's own test client."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)


class Wsgi(Way):
    """Django's own WSGI handler, in this process: where an exception is a 500, as in production."""

    def __init__(self) -> None:
        self.application = get_wsgi_application()

    @kept_connections()
    def ask(self, method: str, path: str, cookie: bytes, body: bytes, headers: dict[str, str]) -> Answer:
        path, _, query = path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(body),
            "wsgi.errors": BytesIO(),
        }
        environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
        environ["CONTENT_TYPE"] = headers.get("Content_Type", "")
        if cookie:
            environ["HTTP_COOKIE"] = cookie.decode("latin-1")
        told: list[Any] = []
        answer = self.application(environ, lambda status, sent: told.extend((status, sent)))
        with closing(answer):
            whole = b"".join(answer)
        return Answer(int(told[0].split()[0]), told[1], whole)


class Asgi(Way):
    """Django's own ASGI handler; the header may come in several pieces, which are then `pieces` of it."""

    def __init__(self) -> None:
        self.application = get_asgi_application()

    @kept_connections()
    def ask(self, method: str, path: str, cookie: bytes, body: bytes, headers: dict[str, str]) -> Answer:
        return async_to_sync(self._ask)(method, path, [cookie] if cookie else [], body, headers)

    @kept_connections()
    def get_in_pieces(self, path: str, pieces: list[bytes]) -> Answer:
        """As HTTP/2 sends it: one header for each cookie."""
        return async_to_sync(self._ask)("GET", path, pieces, b"", {})

    async def _ask(self, method: str, path: str, pieces: list[bytes], body: bytes, headers: dict[str, str]) -> Answer:
        path, _, query = path.partition("?")
        named = [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(b"host", b"testserver"), *named, *((b"cookie", piece) for piece in pieces)],
            "client": ("127.0.0.1", 1),
            "server": ("testserver", 80),
        }
        inbox, sent = asyncio.Queue(), []
        inbox.put_nowait({"type": "http.request", "body": body, "more_body": False})

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.application(scope, inbox.get, send)
        headers_sent = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in sent[0]["headers"]]
        return Answer(sent[0]["status"], headers_sent, b"".join(message.get("body", b"") for message in sent[1:]))


class Socket(Way):
    """A server on this machine, spoken to without any client."""

    def __init__(self, port: int, host: str = "") -> None:
        self.port, self.host = port, host or f"localhost:{port}"

    def ask(self, method: str, path: str, cookie: bytes, body: bytes, headers: dict[str, str]) -> Answer:
        lines = [f"{method} {path} HTTP/1.1".encode(), b"Host: " + self.host.encode(), b"Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}".encode() for name, value in headers.items()]
        if cookie:
            lines.append(b"Cookie: " + cookie)
        if body or method == "POST":
            lines.append(f"Content-Length: {len(body)}".encode())
        return self.raw(b"\r\n".join(lines) + b"\r\n\r\n" + body)

    def raw(self, octets: bytes) -> Answer:
        """What the server answers to exactly these octets; a connection that it cuts is the status 0."""
        received = b""
        with closing(socket.create_connection(("127.0.0.1", self.port), timeout=60)) as connection:
            try:
                connection.sendall(octets)
                while piece := connection.recv(65536):
                    received += piece
            except ConnectionError:  # it has answered already, and reads no further
                pass
        return _parsed(received)


def _parsed(octets: bytes) -> Answer:
    head, _, body = octets.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    answer = Answer(int(first.split()[1]) if first else 0, headers, body)
    if answer.header("Transfer-Encoding") == "chunked":
        answer.body = b"".join(_chunks(body))
    return answer


def _chunks(body: bytes) -> Any:
    while body:
        size, _, body = body.partition(b"\r\n")
        yield body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]
