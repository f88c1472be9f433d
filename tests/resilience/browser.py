"""A browser as far as this matters: a jar, connections that are kept alive, several requests at once.

A request takes its cookies from the jar when it sets out, and what the answer sets is in the jar when it arrives. In
between lies the network, which a Fate tells.
"""

import asyncio
import base64
import json
from contextlib import suppress
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from time import monotonic
from typing import Any

from tests.resilience.fate import FAIR, Fate

ACCESS, REFRESH, PROBE = "__Host-access", "__Host-refresh", "__Host-probe"
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Lost(Exception):
    """No answer came back."""


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    text: str

    def __getitem__(self, name: str) -> str:
        return next((value for header, value in self.headers if header == name), "")

    @property
    def cookies(self) -> dict[str, str]:
        return {
            name: morsel.value
            for header, value in self.headers
            if header == "set-cookie"
            for name, morsel in SimpleCookie(value).items()
        }

    @property
    def signed_in(self) -> bool:
        """Whether this is a page for somebody: of the site's, only those offer to sign out."""
        return self.status == 200 and 'action="/accounts/logout/"' in self.text


@dataclass
class Browser:
    port: int
    jar: dict[str, str]
    idle: list[Connection] = field(default_factory=list)
    out: bool = False  # whoever drives it has seen that it is signed out
    deleted: int = 0  # how often an answer took a token away
    longest: float = 0  # of its round trips, in seconds
    lost: int = 0  # answers that never came, or were trouble
    resent: int = 0  # requests that met a kept connection which the server had just closed

    async def get(self, path: str, fate: Fate = FAIR) -> Answer:
        return await self.request("GET", path, fate=fate)

    async def request(self, method: str, path: str, body: str = "", fate: Fate = FAIR) -> Answer:
        """The answer, where a 307 has led to. Raises Lost."""
        for _ in range(20):
            answer = await self._once(method, path, body, fate)
            if answer.status != 307:
                return answer
            path, fate = answer["location"], FAIR
        raise AssertionError("Redirected without end.")

    async def insist(self, path: str, seconds: float = 60) -> Answer:
        """Asks again until the server answers with something else than trouble."""
        until = monotonic() + seconds
        while True:
            with suppress(Lost):
                answer = await self.get(path)
                if answer.status < 500:
                    return answer
            self.lost += 1
            assert monotonic() < until, "The server stays away."
            await asyncio.sleep(0.05)

    def claims(self) -> dict[str, Any]:
        """What the refresh token in the jar says."""
        payload = self.jar[REFRESH].split(".")[1]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return claims

    def close(self) -> None:
        while self.idle:
            self.idle.pop()[1].close()

    async def _once(self, method: str, path: str, body: str, fate: Fate) -> Answer:
        left = monotonic()
        cookies = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost:{self.port}\r\nCookie: {cookies}\r\n"
        if method == "POST":
            head += f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
        try:
            await asyncio.sleep(fate.before)
            if fate.lost == "request":
                raise Lost
            answer = await self._exchange(f"{head}\r\n{body}".encode(), fate)
            await asyncio.sleep(fate.after)
            if fate.lost == "response":
                raise Lost
        finally:
            self.longest = max(self.longest, monotonic() - left)
        self._keep(answer)
        return answer

    async def _exchange(self, request: bytes, fate: Fate) -> Answer:
        while self.idle:  # a kept connection that turns out to be closed: once more, as browsers do
            with suppress(OSError, EOFError):
                return await self._over(self.idle.pop(), request, fate)
            self.resent += 1
        try:
            return await self._over(await asyncio.open_connection("127.0.0.1", self.port), request, fate)
        except (OSError, EOFError):
            raise Lost from None

    async def _over(self, connection: Connection, request: bytes, fate: Fate) -> Answer:
        reader, writer = connection
        try:
            writer.write(request)
            await writer.drain()
            if fate.lost == "connection":
                await asyncio.sleep(0.005)  # the server has it, and nobody waits for the answer
                raise Lost
            answer = await _read(reader)
        except BaseException:
            writer.close()
            raise
        if answer["connection"] == "close":
            writer.close()
        else:
            self.idle.append(connection)
        return answer

    def _keep(self, answer: Answer) -> None:
        for name, value in answer.cookies.items():
            if value:
                self.jar[name] = value
            else:
                self.jar.pop(name, None)
                self.deleted += name in (ACCESS, REFRESH)


def as_set(jar: dict[str, str]) -> list[dict[str, str]]:
    """`jar` for Playwright. Cookies know no port; and to set a Secure one from outside takes an https address."""
    return [{"name": name, "value": value, "url": "https://127.0.0.1"} for name, value in jar.items()]


async def _read(reader: asyncio.StreamReader) -> Answer:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines[1:-2])]
    answer = Answer(int(lines[0].split()[1]), headers, "")
    answer.text = (await reader.readexactly(int(answer["content-length"] or 0))).decode()
    return answer
