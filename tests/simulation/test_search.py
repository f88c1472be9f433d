from dataclasses import replace

import pytest

from lab.simulation.hunt import hunt
from lab.simulation.rules import AnchoredGrace, Leeway, ParentOfActive
from lab.simulation.search import search
from lab.simulation.siblings import Siblings
from tokens.core.rotation import decide

pytestmark = pytest.mark.once
slow = pytest.mark.slow


class SharedSuccessor(Siblings):
    """A broken rule: all who show a token get one and the same child."""

    def child(self, family, parent, now):
        if family.successor is None or family.successor.generation != parent.generation + 1:
            family.successor = super().child(family, parent, now)
        return family.successor


class Forgetful(Siblings):
    """A broken rule: an access token confirms beside any refresh cookie."""

    def by_access(self, family, jar, access, now):
        return super().by_access(family, replace(jar, refresh=access.refresh), access, now)


def at_once(row, presented, now, confirm_after):
    return decide(row, presented, now, 0)


def never_stale(row, presented, now, confirm_after):
    return decide(min(row, presented, key=lambda token: token.generation), presented, now, confirm_after)


class TestSearch:
    @pytest.mark.parametrize(
        ("messages", "ticks", "round_trip", "overlap"),
        [(3, 7, 2, 2), pytest.param(3, 10, 3, 3, marks=slow), (4, 4, 1, 4), pytest.param(4, 7, 2, 2, marks=slow)],
    )
    def test_no_jar_is_taken_for_a_copy_while_three_round_trips_fit(self, messages, ticks, round_trip, overlap):
        found = search(Siblings(), messages=messages, ticks=ticks, round_trip=round_trip, overlap=overlap)
        assert found.counterexample is None
        assert found.orders > 100_000

    def test_false_verdicts_are_found_at_the_bound_and_take_three_messages(self):
        found, again = (search(Siblings(), messages=3, ticks=6, round_trip=2) for _ in range(2))
        assert "stale" in found.counterexample[-1]
        assert found == again
        assert search(Siblings(), messages=2, ticks=6, round_trip=2).counterexample is None

    @pytest.mark.parametrize(
        ("rule", "messages"),
        [(Siblings(decide=at_once), 3), pytest.param(Forgetful(), 4, marks=slow)],
        ids=["confirms at once", "confirms by any access token"],
    )
    def test_a_broken_rule_is_caught(self, rule, messages):
        assert search(rule, messages=messages, ticks=7, round_trip=2).counterexample


class TestHunt:
    @pytest.mark.parametrize(("length", "young"), [(5, False), pytest.param(6, True, marks=slow)])
    def test_when_the_victim_has_settled_every_token_of_the_thief_is_dead(self, length, young):
        hunted = hunt(Siblings(), length, young=young)
        assert hunted.escape is None
        assert hunted.settled > 0

    @pytest.mark.parametrize(
        "rule", [SharedSuccessor(), Siblings(decide=never_stale), Leeway(), ParentOfActive(), AnchoredGrace()]
    )
    def test_a_rule_that_leaves_the_thief_a_token_is_caught(self, rule):
        assert hunt(rule, 5).escape
