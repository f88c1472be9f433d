"""People who go on using the site, whatever happens to it, and what they saw."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from time import monotonic

from tests.resilience.browser import ACCESS, Browser, Lost
from tests.resilience.fate import seeded

SECONDS = 60  # that a round of everybody may take
PAUSE = 0.02  # between two requests of one browser: the tests' own machine has other work, too


@dataclass(frozen=True)
class Visit:
    left: float
    arrived: float
    status: int  # 0: no answer came
    machine: str
    kind: bool  # whether an answer that is trouble says when to come again


@dataclass
class Crowd:
    """Browsers of people who are signed in. Every third request of each has to refresh."""

    browsers: list[Browser]
    visits: list[Visit] = field(default_factory=list)
    served: dict[int, int] = field(default_factory=dict)  # good answers, by browser
    strangers: int = 0  # answers as to nobody
    windows: list[tuple[float, float]] = field(default_factory=list)

    @asynccontextmanager
    async def about(self) -> AsyncIterator[None]:
        """They use the site as long as the block lasts. Not re-entrant."""
        self.tasks = [asyncio.ensure_future(self._use(number)) for number in range(len(self.browsers))]
        try:
            yield
        finally:
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)
            for browser in self.browsers:
                browser.close()

    async def rounds(self, number: int) -> None:
        """Until each has had so many more good answers."""
        goal = {n: self.served.get(n, 0) + number for n in range(len(self.browsers))}
        until = monotonic() + SECONDS
        while any(self.served.get(n, 0) < wanted for n, wanted in goal.items()):
            for task in self.tasks:
                if task.done():
                    task.result()
            assert monotonic() < until, f"Nobody is served: {self.visits[-5:]}"
            await asyncio.sleep(0.02)

    async def everywhere(self, names: tuple[str, ...]) -> None:
        """Until each of these machines has answered well: nginx leaves one alone for a while that was away."""
        until = monotonic() + SECONDS
        while {visit.machine for visit in self.visits if 200 <= visit.status < 400} < set(names):
            assert monotonic() < until, self.machines()
            await asyncio.sleep(0.02)

    async def trouble(self) -> None:
        """Until somebody has been told to come again."""
        until, before = monotonic() + SECONDS, len(self.visits)
        while all(visit.status != 503 for visit in self.visits[before:]):
            assert monotonic() < until, self.visits[-5:]
            await asyncio.sleep(0.02)

    @contextmanager
    def may_fail(self) -> Iterator[None]:
        """Whatever is under way in this time may go wrong, and nothing else."""
        begun = monotonic()
        yield
        self.windows.append((begun, monotonic()))

    def unexcused(self) -> list[Visit]:
        """The trouble that came at another time, or did not say when to come again."""
        return [
            visit
            for visit in self.visits
            if not 200 <= visit.status < 400
            and not any(visit.left <= end and visit.arrived >= begun for begun, end in self.windows)
        ]

    def unkind(self) -> list[Visit]:
        return [visit for visit in self.visits if visit.status >= 500 and not visit.kind]

    def machines(self, since: int = 0) -> set[str]:
        return {visit.machine for visit in self.visits[since:] if visit.machine}

    async def _use(self, number: int) -> None:
        browser, random = self.browsers[number], seeded(number)
        while True:
            if random.random() < 0.33:
                browser.jar.pop(ACCESS, None)  # as in a browser that was closed: it refreshes
            await self._visit(number, browser, random.choice(("/", "/accounts/profile/", "/accounts/sessions/")))
            await asyncio.sleep(PAUSE)

    async def _visit(self, number: int, browser: Browser, path: str) -> None:
        left = monotonic()
        try:
            answer = await browser.get(path)
        except Lost:
            self.visits.append(Visit(left, monotonic(), 0, "", True))
            return
        kind = bool(answer["retry-after"]) and not answer.cookies
        self.visits.append(Visit(left, monotonic(), answer.status, answer["x-machine"], kind))
        if answer.status < 500:
            self.strangers += not answer.signed_in
            self.served[number] = self.served.get(number, 0) + 1
