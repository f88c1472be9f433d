"""Compare what a detected copy may end: its family, or every session of the user (`TOKENS_REUSE_REVOKES`).

A person has three browsers: one at work and one on a phone, both in use, and a second one on the machine at work that
is signed in and left alone. Whoever copies the machine has the jars of two of them.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from random import Random
from statistics import mean, median, quantiles

from .browsers import Browser
from .jars import Answer
from .parameters import DAY, DEFAULT, HOUR
from .people import Person
from .rules import Family
from .runs import Size
from .siblings import Siblings
from .thieves import Kind, Thief
from .world import Network, World

POLICIES = ("all", "family")


class Response(Siblings):
    """Apply the rule of this project to all browsers of one person."""

    def __init__(self, policy: str) -> None:
        super().__init__()
        self.policy = policy
        self.browsers: list[Browser] = []

    def reuse(self, family: Family) -> Answer:
        if self.policy == "all":
            for browser in self.browsers:
                browser.family.live = False
        return super().reuse(family)


class Weeks(World):
    """Go on although one of several thieves has lost."""

    def stop(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Task:
    """Describe one copy. Without a kind of thief it is an honest one: a cloned machine, both of which are then used."""

    policy: str
    seed: str
    kind: Kind | None


@dataclass(frozen=True, slots=True)
class Outcome:
    sign_ins: int  # that the person was forced to
    stay: float | None = None  # of the thief in whatever they had, in hours; None if they never got in
    still_in: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """Sum up many copies under one policy."""

    policy: str
    honest_sign_ins: float
    median_stay: float
    longest_but_few: float
    still_in: float


def run(size: Size, seed: int, processes: int | None = None) -> list[Summary]:
    """Simulate, under each policy, as many honest copies and copies by each kind of thief as `size` has thefts."""
    kinds = (None, *Kind)
    tasks = [
        Task(policy, f"{seed} {kind} {number}", kind)
        for policy in POLICIES
        for kind in kinds
        for number in range(size.thefts)
    ]
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        lives = zip(tasks, pool.imap(live, tasks, chunksize=4), strict=True)
        return [_sum(policy, list(lived)) for policy, lived in groupby(lives, key=lambda life: life[0].policy)]


def live(task: Task) -> Outcome:
    """Live a day before the copy and a week after it, and return what came of it."""
    random, world, rule = Random(task.seed), Weeks(), Response(task.policy)
    network = Network(DEFAULT, random, (DEFAULT.steals_on + DAY + DEFAULT.watched_for) / DAY)
    at_work, phone, left_alone = (Browser(world, rule, network, random, DEFAULT) for _ in range(3))
    rule.browsers += [at_work, phone, left_alone]
    for browser in (at_work, phone):
        Person(world, browser, random, DEFAULT)
    world.run(DEFAULT.steals_on + random.uniform(0, DAY))
    if task.kind is None:
        clone = Browser(world, rule, network, random, DEFAULT)
        clone.family, clone.jar = at_work.family, at_work.jar
        rule.browsers.append(clone)
        Person(world, clone, random, DEFAULT)
        world.run(world.now + DEFAULT.watched_for)
        return Outcome(sum(browser.counts.sign_ins for browser in rule.browsers))
    thieves = [Thief(world, rule, browser, task.kind, random, DEFAULT) for browser in (at_work, left_alone)]
    world.run(world.now + DEFAULT.watched_for)
    entered = [thief.theft.first_in for thief in thieves if thief.theft.first_in is not None]
    left = [thief.theft.last_in for thief in thieves if thief.theft.last_in is not None]
    return Outcome(
        sum(browser.counts.sign_ins for browser in rule.browsers),
        (max(left) - min(entered)) / HOUR if entered else None,
        any(thief.theft.first_in and thief.family.live and not thief.is_out for thief in thieves),
    )


def _sum(policy: str, lived: Sequence[tuple[Task, Outcome]]) -> Summary:
    honest = [outcome.sign_ins for task, outcome in lived if task.kind is None]
    thefts = [outcome for task, outcome in lived if task.kind is not None]
    stays = [outcome.stay for outcome in thefts if outcome.stay is not None]
    still_in = sum(outcome.still_in for outcome in thefts) / len(thefts)
    return Summary(policy, mean(honest), median(stays), quantiles(stays, n=20)[-1], still_in)
