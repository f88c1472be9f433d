"""A bad network between a real browser and the server: each request and response has the fate that a plan gives it.

Requests come over several connections, so unequal delays put them out of order.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.resilience.fate import Fate

Plan = Callable[[str, str], Fate]  # by method and path


class Cut(Exception):
    """This connection ends here."""


@dataclass
class Message:
    """A request or a response, as it came."""

    line: str
    headers: list[str]
    body: bytes

    def header(self, name: str) -> str:
        found = (header.partition(":") for header in self.headers)
        return next((value.strip() for key, _, value in found if key.lower() == name), "")

    def sent(self, connection: str) -> bytes:
        """Its bytes, for a connection that is kept ("keep-alive") or not ("close")."""
        kept = [header for header in self.headers if not header.lower().startswith("connection:")]
        return "\r\n".join([self.line, *kept, f"Connection: {connection}", "", ""]).encode("latin-1") + self.body


class Proxy:
    """Listens on a port of its own, in a thread of its own, as long as the block lasts."""

    def __init__(self, upstream: int, plan: Plan) -> None:
        self.upstream, self.plan = upstream, plan
        self.log: list[tuple[str, str, int]] = []  # method, path, status of what was answered
        self.fates: Counter[str] = Counter()
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Proxy":
        self._thread.start()
        assert self._listening.wait(10)
        return self

    def __exit__(self, *exception: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._stop.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            while True:
                writer.write((await self._pass(await read(reader))).sent("keep-alive"))
                await writer.drain()
        except (Cut, OSError, EOFError, asyncio.CancelledError):
            writer.close()
        finally:
            self._tasks.discard(task)

    async def _pass(self, request: Message) -> Message:
        method, path, _ = request.line.split(" ")
        fate = self.plan(method, path)
        self.fates[fate.lost or "passed"] += 1
        await asyncio.sleep(fate.before)
        if fate.held:
            await asyncio.to_thread(fate.held.wait, 30)
        if fate.lost == "request":
            raise Cut
        response = await self._ask(request)
        await asyncio.sleep(fate.after)
        if fate.lost:
            raise Cut
        self.log.append((method, path, int(response.line.split(" ")[1])))
        return response

    async def _ask(self, request: Message) -> Message:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        try:
            writer.write(request.sent("close"))
            return await read(reader, empty=request.line.startswith("HEAD"))
        finally:
            writer.close()


async def read(reader: asyncio.StreamReader, *, empty: bool = False) -> Message:
    """The next message; `empty` says that it has no body whatever its length (RFC 9112 §6.3)."""
    line, *headers = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
    message = Message(line, headers, b"")
    if not empty:
        message.body = await reader.readexactly(int(message.header("content-length") or 0))
    return message
