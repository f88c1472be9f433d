"""People who go on using the site, whatever happens to it, and what they saw."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from tests.resilience.browser import ACCESS, Browser, Lost
from tests.resilience.fate import seeded

PAUSE = 0.02  # between two requests of one browser: the tests' own machine has other work, too


@dataclass(frozen=True)
class Visit:
    status: int  # 0: no answer came
    machine: str = ""
    is_excused: bool = False  # whatever was under way at that time may go wrong
    is_kind: bool = True  # trouble that says when to come again, and takes no cookies away

    @property
    def is_good(self) -> bool:
        return 200 <= self.status < 400


@dataclass
class Crowd:
    """Browsers of people who are signed in. Every third request of each has to refresh."""

    browsers: list[Browser]
    visits: list[Visit] = field(default_factory=list)
    served: Counter[int] = field(default_factory=Counter)  # good answers, by browser
    strangers: int = 0  # answers as to nobody
    _phase: int = 0  # odd while things may fail

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
        goal = {n: self.served[n] + number for n in range(len(self.browsers))}
        await self._until(lambda: all(self.served[n] >= wanted for n, wanted in goal.items()))

    async def everywhere(self, names: tuple[str, ...]) -> None:
        """Until each of these machines has answered well: nginx leaves one alone for a while that was away."""
        await self._until(lambda: {visit.machine for visit in self.visits if visit.is_good} >= set(names))

    async def told_to_wait(self) -> None:
        """Until somebody has been told to come again later."""
        before = len(self.visits)
        await self._until(lambda: any(visit.status == 503 for visit in self.visits[before:]))

    @contextmanager
    def may_fail(self) -> Iterator[None]:
        """Whatever is under way in this time may go wrong, and nothing else."""
        self._phase += 1
        yield
        self._phase += 1

    async def _until(self, true: Callable[[], bool]) -> None:
        while not true():
            for task in self.tasks:
                if task.done():
                    task.result()
            await asyncio.sleep(0.02)

    async def _use(self, number: int) -> None:
        browser, random = self.browsers[number], seeded(number)
        while True:
            if random.random() < 0.33:
                browser.jar.pop(ACCESS, None)  # as in a browser that was closed: it refreshes
            await self._visit(number, browser, random.choice(("/", "/accounts/profile/", "/accounts/sessions/")))
            await asyncio.sleep(PAUSE)

    async def _visit(self, number: int, browser: Browser, path: str) -> None:
        phase = self._phase
        try:
            answer = await browser.get(path)
        except Lost:
            self.visits.append(Visit(0, is_excused=self._is_excused(phase)))
            return
        kind = answer.status < 500 or (bool(answer["retry-after"]) and not answer.cookies)
        self.visits.append(Visit(answer.status, answer["x-machine"], self._is_excused(phase), kind))
        if answer.status < 500:
            self.strangers += not answer.signed_in
            self.served[number] += 1

    def _is_excused(self, phase: int) -> bool:
        """Whether something might fail when a visit began, or since."""
        return phase % 2 == 1 or phase != self._phase
