"""A bad network between a real browser and the server: each request and response has the fate that a plan gives it.

Each request comes over a connection of its own, so unequal delays put them out of order.
"""

import asyncio
import re
import threading
from collections import Counter
from collections.abc import Callable

from tests.resilience.fate import Fate

Plan = Callable[[str, str], Fate]  # by method and path


class Proxy:
    """Listens on a port of its own, in a thread of its own, as long as the block lasts."""

    def __init__(self, upstream: int, plan: Plan) -> None:
        self.upstream, self.plan = upstream, plan
        self.log: list[tuple[str, str, int]] = []  # method, path, status of what was answered
        self.fates: Counter[str] = Counter()
        self.port = 0
        self._listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def __enter__(self) -> "Proxy":
        self._thread.start()
        assert self._listening.wait(10)
        return self

    def __exit__(self, *exception: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._stop.wait()
        server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._pass(reader, writer)
        except (OSError, EOFError, asyncio.CancelledError):
            """The browser has left, or the test is over."""
        finally:
            writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        body = await reader.readexactly(int(length[1])) if length else b""
        method, path, _ = head.decode("latin-1").split(" ", 2)
        fate = self.plan(method, path)
        self.fates[fate.lost or "passed"] += 1
        await asyncio.sleep(fate.before)
        if fate.held:
            await asyncio.to_thread(fate.held.wait, 30)
        if fate.lost == "request":
            return
        answer = await self._ask(re.sub(rb"(?i)\r\nconnection: [^\r]*", b"\r\nConnection: close", head) + body)
        await asyncio.sleep(fate.after)
        if not fate.lost:
            self.log.append((method, path, int(answer.split(b" ", 2)[1])))
            writer.write(answer)
            await writer.drain()

    async def _ask(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        try:
            writer.write(request)
            return await reader.read()
        finally:
            writer.close()
