"""A real mail server on loopback: it keeps what it gets, and can refuse, hang, die and come back."""

import asyncio
import socket
import threading
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from time import monotonic, sleep
from typing import Any

import django
from aiosmtpd.smtp import SMTP, Envelope, Session

OLD = {"username": "host_user", "password": "host_password"}


def mailer(backend: str, **options: object) -> dict[str, Any]:
    """The settings of a mailer: MAILERS, or before Django 6.1 those that it replaces."""
    if django.VERSION >= (6, 1):
        return {"MAILERS": {"default": {"BACKEND": backend, "OPTIONS": options}}}
    return {"EMAIL_BACKEND": backend, **{f"EMAIL_{OLD.get(name, name).upper()}": options[name] for name in options}}


def smtp_mailer(**options: object) -> dict[str, Any]:
    return mailer("django.core.mail.backends.smtp.EmailBackend", use_tls=False, use_ssl=False, **options)


class MailServer:
    """Lives for one `with` block, on one port.

    `received` are its mails, and `envelopes` who sent them. `refusals` are the answers to addresses that it does not
    take, or to EHLO, MAIL or DATA, such as {"bob@example.org": "550 No such mailbox", "DATA": "554 Spam"}. `hangs` is
    the command it never answers, EHLO or DATA, and `slow` how many seconds after it has a mail it says so.
    """

    def __init__(self) -> None:
        self.forget()
        self._port = self._bound(0)  # never listens: it holds the port while the server is dead
        self.port: int = self._port.getsockname()[1]
        self.url = f"smtp://127.0.0.1:{self.port}"

    def __enter__(self) -> "MailServer":
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.die()
        self._port.close()

    def use(self, settings: Any, timeout: float = 10) -> None:
        """Let the mails of this process come here."""
        for name, value in smtp_mailer(host="127.0.0.1", port=self.port, timeout=timeout).items():
            setattr(settings, name, value)

    def forget(self) -> None:
        """Whatever it got and was told to do."""
        self.received: list[EmailMessage] = []
        self.envelopes: list[str | None] = []
        self.refusals: dict[str, str] = {}
        self.hangs = ""
        self.slow = 0.0
        self.connections = 0

    def start(self) -> None:
        self._listener = self._bound(self.port)
        self._listener.listen(64)
        ready = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=[self._serve(ready)], name="mail server")
        self._thread.start()
        ready.wait(10)

    def die(self) -> None:
        """In the middle of whatever it does; who comes is refused until it starts again."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join()

    def to(self, address: str) -> list[EmailMessage]:
        return [message for message in self.received if message["To"] == address]

    def wait(self, number: int = 1) -> list[EmailMessage]:
        """The mails, once there are so many."""
        wait_until(lambda: len(self.received) >= number)
        return self.received

    def _bound(self, port: int) -> socket.socket:
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", port))
        return bound

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._end, self._transports = asyncio.get_running_loop(), asyncio.Event(), set[Any]()
        server = await self._loop.create_server(self._answer, sock=self._listener)
        ready.set()
        await self._end.wait()
        server.close()
        for transport in self._transports:
            transport.abort()

    def _answer(self) -> SMTP:
        self.connections += 1
        return _Conversation(self, self._transports, hostname="localhost", loop=self._loop)

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        await self._dawdle("EHLO")
        session.host_name = hostname
        return [self.refusals["EHLO"]] if "EHLO" in self.refusals else responses

    async def handle_HELO(self, server: SMTP, session: Session, envelope: Envelope, hostname: str) -> str:
        return self.refusals.get("EHLO", "250 OK")

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if "MAIL" not in self.refusals:
            envelope.mail_from = address
        return self.refusals.get("MAIL", "250 OK")

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        await self._dawdle("DATA")
        if "DATA" in self.refusals:
            return self.refusals["DATA"]
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content.replace(b"\r\n", b"\n"), policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.envelopes.append(envelope.mail_from)
        self.received.append(message)
        await asyncio.sleep(self.slow)
        return "250 OK"

    async def _dawdle(self, command: str) -> None:
        while self.hangs == command:
            await asyncio.sleep(0.02)


class _Conversation(SMTP):
    """Says who is connected, so that a server which dies can cut them off."""

    def __init__(self, handler: MailServer, transports: set[Any], **options: Any) -> None:
        super().__init__(handler, **options)
        self._transports = transports

    def connection_made(self, transport: Any) -> None:
        self._transports.add(transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._transports.discard(self.transport)
        super().connection_lost(error)


def words(message: EmailMessage) -> str:
    """The mail as text."""
    part = message.get_body(("plain",))
    assert isinstance(part, EmailMessage)
    return str(part.get_content())


def wait_until(true: Callable[[], object], seconds: float = 60) -> None:
    end = monotonic() + seconds
    while not true():
        assert monotonic() < end, "It did not come to pass in time."
        sleep(0.02)
