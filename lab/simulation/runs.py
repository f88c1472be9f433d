"""Many lives under many rules, over all processors; the same figures for the same seed, however many there are."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from random import Random
from statistics import median, quantiles

from .browsers import Browser, Counts
from .devices import Bound, BoundBrowser, BoundPerson
from .parameters import DAY, DEFAULT, HOUR
from .people import Person
from .rules import AnchoredGrace, Leeway, ParentOfActive, PromoteOnUse, Rule, SingleUse
from .siblings import Siblings
from .thieves import Kind, Theft, Thief
from .world import Network, World

RULES: tuple[type[Rule], ...] = (Siblings, Bound, SingleUse, Leeway, ParentOfActive, PromoteOnUse, AnchoredGrace)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is simulated for each rule."""

    people: int
    days: int  # that each of them lives
    thefts: int  # by each kind of thief


FULL, QUICK = Size(people=200, days=20, thefts=60), Size(people=20, days=10, thefts=8)
QUEUES = (60.0, 90.0, 120.0, 300.0)  # seconds that a request may wait in an overload, up to far too long
OVERLOADS_A_DAY = 8.0  # while that is tried


@dataclass(slots=True)
class Result:
    """What happened under one rule."""

    rule: str
    user_days: int = 0
    counts: Counts = field(default_factory=Counts)
    thefts: list[Theft] = field(default_factory=list)

    @property
    def sign_outs(self) -> float:
        """Return the forced sign-outs of honest people, for each 1,000 user-days."""
        return 1000 * self.counts.sign_ins / self.user_days

    @property
    def probes(self) -> float:
        """Return the requests of honest people that were answered with a probe, for each 1,000 user-days."""
        return 1000 * self.counts.probes / self.user_days

    def of(self, kinds: Iterable[Kind]) -> Thefts:
        return Thefts([theft for theft in self.thefts if theft.kind in set(kinds)])


@dataclass(frozen=True, slots=True)
class Thefts:
    """Some thefts, summed up. Shares between 0 and 1; stays, of those who got in, in hours."""

    thefts: Sequence[Theft]

    def share(self, number: int) -> float:
        return number / len(self.thefts)

    @property
    def got_in(self) -> float:
        return self.share(sum(theft.first_in is not None for theft in self.thefts))

    @property
    def found(self) -> float:
        return self.share(sum(theft.found for theft in self.thefts))

    @property
    def still_in(self) -> float:
        return self.share(sum(theft.still_in for theft in self.thefts))

    @property
    def locked_out(self) -> float:
        """Return the share that is out in the end, though nobody has been told."""
        return self.share(sum(not theft.found and not theft.still_in for theft in self.thefts))

    @property
    def stays(self) -> list[float]:
        return [theft.stay / HOUR for theft in self.thefts if theft.first_in is not None]

    @property
    def median_stay(self) -> float:
        return median(self.stays) if self.stays else 0.0

    @property
    def longest_but_few(self) -> float:
        """Return the 95th percentile of the stays."""
        return quantiles(self.stays, n=20)[-1] if len(self.stays) > 1 else self.median_stay


@dataclass(frozen=True, slots=True)
class Task:
    """One life. Without a thief it is `days` long."""

    rule: type[Rule]
    seed: str
    days: int
    kind: Kind | None = None
    queue: float | None = None  # a life full of overloads, with queues so long


def run(size: Size, seed: int, rules: Sequence[type[Rule]] = RULES, processes: int | None = None) -> list[Result]:
    """Live all lives of `size`, and return a Result for each of `rules`, in their order."""
    tasks = [task for rule in rules for task in _tasks(rule, size, seed)]
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        lives = zip(tasks, pool.imap(live, tasks, chunksize=8), strict=True)
        return [_sum(rule, lived) for rule, lived in groupby(lives, key=lambda life: life[0].rule)]


def overload(size: Size, seed: int) -> list[tuple[float, Result]]:
    """Return the results of this project's rule under each of QUEUES, for a seventh of the people of `size`."""
    people = range(max(1, size.people // 7))
    tasks = [Task(Siblings, f"{seed} queue {number}", size.days, queue=queue) for queue in QUEUES for number in people]
    with multiprocessing.get_context("fork").Pool() as pool:
        lives = zip(tasks, pool.imap(live, tasks), strict=True)
        return [(queue or 0, _sum(Siblings, lived)) for queue, lived in groupby(lives, key=lambda life: life[0].queue)]


def live(task: Task) -> Counts | Theft:
    """Live one life, and return what happened to an honest person, or what came of a theft."""
    parameters = DEFAULT
    if task.queue is not None:
        parameters = replace(DEFAULT, queue=task.queue, overloads_a_day=OVERLOADS_A_DAY)
    return live_under(task.rule(parameters), task)


def live_under(rule: Rule, task: Task) -> Counts | Theft:
    """Live the same life under a rule made beforehand."""
    parameters = rule.parameters
    random, world = Random(task.seed), World()
    days = task.days if task.kind is None else (parameters.steals_on + DAY + parameters.watched_for) / DAY
    network = Network(parameters, random, days)
    if isinstance(rule, Bound):
        browser: Browser = BoundBrowser(world, rule, network, random, parameters)
        BoundPerson(world, browser, random, parameters)
    else:
        browser = Browser(world, rule, network, random, parameters)
        Person(world, browser, random, parameters)
    if task.kind is None:
        world.run(task.days * DAY)
        return browser.counts
    world.run(parameters.steals_on + random.uniform(0, DAY))
    stolen_from = browser.family
    thief = Thief(world, rule, browser, task.kind, random, parameters)
    world.run(world.now + parameters.watched_for)
    thief.theft.owner_sign_ins = browser.counts.sign_ins
    thief.theft.may_sign_out = rule.may_sign_out(stolen_from, thief.jar, world.now)
    thief.theft.found = stolen_from.found
    thief.theft.still_in = stolen_from.live and not thief.is_out
    return thief.theft


def _tasks(rule: type[Rule], size: Size, seed: int) -> list[Task]:
    honest = [Task(rule, f"{seed} person {number}", size.days) for number in range(size.people)]
    return honest + [
        Task(rule, f"{seed} {kind.name} {number}", 0, kind) for kind in Kind for number in range(size.thefts)
    ]


def _sum(rule: type[Rule], lived: Iterable[tuple[Task, Counts | Theft]]) -> Result:
    result = Result(rule.name)
    for task, outcome in lived:
        if isinstance(outcome, Theft):
            result.thefts.append(outcome)
        else:
            result.user_days += task.days
            result.counts = result.counts + outcome
    return result
