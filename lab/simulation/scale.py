"""python -m lab.simulation --scale: what many people ask of a site's servers in the busiest hour of their day.

A few people live under the real rule; what servers do for them is counted by the hour and multiplied by what each act
costs. All live in one time zone, which is the worst case.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import ceil
from random import Random

from tokens.core.rotation import Refresh

from .browsers import Browser
from .jars import PLAIN, Answer, Jar, Request
from .parameters import DAY, DEFAULT, HOUR, Parameters
from .people import Person
from .rules import Family
from .siblings import Siblings
from .world import Network, World

SITES = (10_000, 1_000_000, 100_000_000)

# Measured on two cores by `python -m lab.benchmarks` (served, refreshed, listed) and `python -m lab.benchmarks.scale`.
PAGES_PER_CORE = 1_000  # a second
STATEMENT = 0.001  # seconds that it keeps a connection
ROW = 589  # bytes, indexes included
CONFIRMATION = 157  # bytes of WAL
SESSION = 2_577  # bytes of WAL of a sign-in, its end and the deletion of its row together
ENTRY = 251  # bytes of an id on the revocation list

# Assumed of each person.
SIGN_INS = 0.2  # a day, and as many ends
ROWS = 4  # devices, and sessions that are over and are kept for a week


@dataclass(frozen=True, slots=True)
class Busiest:
    """What one person asks for in a second of the busiest hour, and which share of the day's pages that hour has."""

    pages: float
    refreshes: float
    confirmations: float
    share: float


class CountedRule(Siblings):
    """The rule, and in which hour of the day it looked at a row and changed one."""

    def __init__(self) -> None:
        super().__init__()
        self.refreshes, self.confirmations = Counter[int](), Counter[int]()

    def answer(self, family: Family, jar: Jar, now: float, request: Request = PLAIN) -> Answer:
        before = family.row
        answer = super().answer(family, jar, now, request)
        self.confirmations[hour_of(now)] += family.row != before
        return answer

    def by_refresh(self, family: Family, jar: Jar, shown: Refresh, now: float) -> Answer:
        self.refreshes[hour_of(now)] += 1
        return super().by_refresh(family, jar, shown, now)


class CountedPerson(Person):
    """A person, and in which hour of the day they opened a page."""

    def __init__(self, world: World, browser: Browser, random: Random, parameters: Parameters) -> None:
        self.pages = Counter[int]()
        super().__init__(world, browser, random, parameters)

    def _load_page(self) -> None:
        self.pages[hour_of(self.world.now)] += self.world.now < self._works_until
        super()._load_page()


def hour_of(moment: float) -> int:
    return int(moment % DAY // HOUR)


def busiest(people: int = 40, days: int = 5, seed: int = 1) -> Busiest:
    """Live all lives and return the rates of the hour with the most pages."""
    pages, refreshes, confirmations = Counter[int](), Counter[int](), Counter[int]()
    for number in range(people):
        random, world, rule = Random(f"{seed} scale {number}"), World(), CountedRule()
        browser = Browser(world, rule, Network(DEFAULT, random, days), random, DEFAULT)
        person = CountedPerson(world, browser, random, DEFAULT)
        world.run(days * DAY)
        pages, refreshes = pages + person.pages, refreshes + rule.refreshes
        confirmations += rule.confirmations
    [(hour, most)] = pages.most_common(1)
    each = people * days * HOUR
    return Busiest(most / each, refreshes[hour] / each, confirmations[hour] / each, most / pages.total())


def table(one: Busiest) -> str:
    """Return what sites of many ask for, as the page has it."""
    statements = one.refreshes + one.confirmations
    changes = SIGN_INS * one.share / HOUR  # sign-ins a second, and ends
    rows = {
        "pages a second": one.pages,
        "refreshes a second": one.refreshes,
        "confirmations a second": one.confirmations,
        "cores for pages": one.pages / PAGES_PER_CORE,
        "connections at work": statements * STATEMENT,
        "WAL, MB a second": (one.confirmations * CONFIRMATION + changes * SESSION) / 1e6,
        "ids on the revocation list": changes * 2 * DEFAULT.access_lifetime,
        "their memory in each process, MB": changes * 2 * DEFAULT.access_lifetime * ENTRY / 1e6,
        "table and indexes, GB": ROWS * ROW / 1e9,
    }
    lines = [
        ("active people", *(f"{people:,}" for people in SITES)),
        ("---", *["--:"] * len(SITES)),
        *((what, *(_rounded(people * each) for people in SITES)) for what, each in rows.items()),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _rounded(number: float) -> str:
    """Return it upwards, with two digits; less than one is that."""
    if number < 1:
        return "< 1"
    step = 10 ** max(0, len(str(int(number))) - 2)
    return f"{ceil(number / step) * step:,}"
