import re
import subprocess
import sys
from dataclasses import replace
from random import Random

import pytest
from django.conf import settings

from lab.simulation import report, responses
from lab.simulation.browsers import Browser
from lab.simulation.devices import Bound
from lab.simulation.parameters import DEFAULT, HOUR
from lab.simulation.rules import PromoteOnUse, SingleUse
from lab.simulation.runs import QUEUES, QUICK, RULES, Task, live_under, overload, run
from lab.simulation.siblings import Siblings
from lab.simulation.thieves import Kind
from lab.simulation.world import Network, World
from tokens.binding import challenges, fallbacks, marks
from tokens.conf import conf
from tokens.models import MAX_PROBES
from tokens.probe import LIFETIME

pytestmark = [pytest.mark.once, pytest.mark.slow]


@pytest.fixture(scope="module")
def results():
    return dict(zip(RULES, run(QUICK, seed=1), strict=True))


@pytest.fixture(scope="module")
def by_policy():
    size = replace(QUICK, thefts=2)
    return {summary.policy: summary for summary in responses.run(size, seed=1)}


class TestRun:
    def test_the_rule_signs_no_honest_person_out(self, results):
        assert results[Siblings].counts.sign_ins == 0
        assert results[Siblings].user_days == 200
        assert results[Siblings].counts.decided > 10_000

    def test_strict_single_use_signs_many_out(self, results):
        assert results[SingleUse].sign_outs > 1000

    def test_no_thief_outlasts_the_rule(self, results):
        thefts = results[Siblings].of(Kind)
        assert thefts.still_in == 0
        assert results[Siblings].of([Kind.PROMPT, Kind.PATIENT]).found == 1

    def test_what_tells_nobody_finds_no_thief(self, results):
        assert results[PromoteOnUse].of(Kind).found == 0

    def test_generous_rules_leave_the_turn_taker_in(self, results):
        left_in = [rule.name for rule in RULES if results[rule].of([Kind.TURNS]).still_in > 0]
        assert left_in == ["leeway after rotation", "parent of the active token", "anchored grace, siblings"]

    def test_the_same_seed_tells_the_same_lives(self, results):
        size = replace(QUICK, people=2, thefts=1)
        assert run(size, 7, [Siblings]) == run(size, 7, [Siblings], processes=1)

    def test_a_rule_that_calls_every_late_request_theft_shows(self):
        class Hasty(Siblings):
            def stale(self, family, jar, shown, now):
                return self.reuse(family)

        parameters = replace(DEFAULT, queue=300.0, overloads_a_day=24.0)
        lives = [
            (rule(parameters), Task(rule, f"late {number}", 10)) for rule in (Siblings, Hasty) for number in (1, 2)
        ]
        signed_out = [live_under(rule, task).sign_ins for rule, task in lives]
        assert sum(signed_out[:2]) < sum(signed_out[2:])


class TestBound:
    def test_a_lost_proof_signs_no_honest_person_out(self, results):
        counts = results[Bound].counts
        assert counts.sign_ins == 0
        assert counts.proofs > 2_000
        assert counts.lost_proofs > 50

    def test_a_copy_is_out_with_its_mark_and_opens_guarded_pages_beside_a_young_one_alone(self, results):
        thefts = [theft for theft in results[Bound].thefts if theft.bound]
        assert {theft.guarded for theft in thefts} == {True, False}
        for theft in thefts:
            assert theft.first_in is None or theft.last_in - theft.stolen_at <= DEFAULT.bound_lifetime
            assert not theft.guarded or theft.mark_left > DEFAULT.bound_lifetime - DEFAULT.proved_within
            assert not (theft.found or theft.owner_sign_ins or theft.may_sign_out)

    def test_a_key_that_counts_from_its_registration_on_costs_those_whose_response_is_lost(self):
        class AtOnce(Bound):
            def register(self, family, now):
                family.proved_at = now
                return super().register(family, now)

        parameters = replace(DEFAULT, lost_responses=0.3)
        signed_out = [
            sum(live_under(rule(parameters), Task(rule, f"lost {number}", 1)).sign_ins for number in range(10))
            for rule in (Bound, AtOnce)
        ]
        assert signed_out[0] == 0 < signed_out[1]


class TestOverload:
    def test_it_costs_nothing_up_to_a_minute(self):
        (queue, result), *_ = overload(QUICK, seed=1)
        assert queue == QUEUES[0] == 60
        assert result.counts.sign_ins == 0


class TestResponses:
    def test_ending_the_family_alone_leaves_a_thief_in_the_browser_that_nobody_uses(self, by_policy):
        assert by_policy["family"].median_stay > 24 > by_policy["all"].median_stay
        assert by_policy["family"].still_in > by_policy["all"].still_in

    def test_ending_all_costs_an_honest_copy_the_sign_in_of_the_other_device(self, by_policy):
        assert by_policy["all"].honest_sign_ins == by_policy["family"].honest_sign_ins + 1


class TestBrowser:
    """The one way in which the rule itself may sign an honest person out, step by step."""

    @pytest.fixture
    def browser(self):
        """On a network without faults, with an access token that has expired."""
        no_faults = dict.fromkeys(
            ("travel_sigma", "works_sigma", "stalls", "lost_requests", "lost_responses", "late"), 0
        )
        parameters = replace(DEFAULT, overloads_a_day=0, **no_faults)
        world, random = World(), Random(1)  # noqa: S311 - dice
        random.uniform = lambda low, high: high
        browser = Browser(world, Siblings(parameters), Network(parameters, random, 1), random, parameters)
        world.run(HOUR)
        world.now = HOUR
        return browser

    def go_on(self, browser, seconds):
        browser.world.run(browser.world.now + seconds)
        browser.world.now += seconds

    @pytest.mark.parametrize(("lid", "sign_ins"), [(True, 1), (False, 0)])
    def test_a_lid_that_closes_right_after_a_refresh_and_a_death_right_after_the_next_request(
        self, browser, lid, sign_ins
    ):
        first = browser.jar.refresh
        browser.send()
        self.go_on(browser, 0.5)
        assert browser.jar.refresh != first
        if lid:
            browser.close()
            browser.world.now += HOUR
            browser.wake()
            browser.send()
            self.go_on(browser, 0.5)
        browser.die()
        assert browser.jar.refresh == first
        browser.send()
        self.go_on(browser, 60)
        assert browser.counts.sign_ins == sign_ins

    @pytest.mark.parametrize("lid", [True, False])
    def test_a_response_that_is_late_or_meets_a_closed_lid_leaves_the_jar_alone(self, browser, lid):
        first = browser.jar.refresh
        browser.network.work = lambda: 41.0
        browser.send()
        if lid:
            browser.close()
        self.go_on(browser, HOUR)
        assert browser.jar.refresh == first


class TestReport:
    def test_the_page_is_in_step_with_what_would_be_written(self, results):
        page = report.PAGE.read_text()
        written = page[page.index(report.BEGIN) : page.index(report.END)]
        header, *rows = report.summary(list(results.values()))
        written = written[written.index(f"| {' | '.join(header)} |") :]
        assert re.findall(r"^\| ([^|]+) \|", written, re.MULTILINE)[2 : 2 + len(rows)] == [row[0] for row in rows]
        assert all(f"| {rule.name} |" in page for rule in RULES[1:])

    def test_each_kind_of_thief_is_told_for_each_rule_and_each_kind_of_mark(self, results):
        header, *rows = report.by_kind(list(results.values()))
        assert header == ("rule", *(kind.value for kind in Kind))
        assert [row[0] for row in rows] == [row[0] for row in report.summary(list(results.values()))[1:]]
        assert {len(row) for row in rows} == {len(header)}
        header, *rows = report.by_mark(list(results.values()))
        assert rows[0][0] == "no key" and len(rows) > 3
        assert {len(row) for row in rows} == {len(header)}


class TestModel:
    def test_it_needs_no_django(self):
        """The simulation drives the rule, not the site."""
        code = "import lab.simulation.__main__, sys; sys.exit('django' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

    def test_its_lifetimes_are_the_sites(self):
        names = ("access_lifetime", "confirm_after", "idle_lifetime")
        assert [getattr(DEFAULT, name) for name in names] == [getattr(conf, name) for name in names]
        assert (DEFAULT.probe_lifetime, DEFAULT.probes_at_most) == (LIFETIME, MAX_PROBES)

    def test_its_proofs_are_the_sites(self):
        assert DEFAULT.bound_lifetime == settings.TOKENS_BOUND_LIFETIME
        assert DEFAULT.challenge_lifetime == DEFAULT.bound_lifetime + challenges.LIFETIME
        ours = (DEFAULT.proved_within, DEFAULT.first_mark, DEFAULT.tried_for)
        assert ours == (marks.PROVED_WITHIN, marks.FIRST, fallbacks.TRIED_FOR)
