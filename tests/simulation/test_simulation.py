import re
import subprocess
import sys
from dataclasses import replace
from random import Random
from xml.etree import ElementTree

import pytest

from lab.simulation import report, responses
from lab.simulation.browsers import Browser
from lab.simulation.parameters import DEFAULT, HOUR
from lab.simulation.plot import draw
from lab.simulation.rules import PromoteOnUse, SingleUse
from lab.simulation.runs import QUEUES, QUICK, RULES, Task, live_under, overload, run
from lab.simulation.siblings import Siblings
from lab.simulation.thieves import Kind
from lab.simulation.world import Network, World
from tokens.conf import conf
from tokens.models import PROBES_AT_MOST
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
        parameters = replace(
            DEFAULT,
            travel_sigma=0,
            works_sigma=0,
            stalls=0,
            lost_requests=0,
            lost_responses=0,
            late=0,
            overloads_a_day=0,
        )
        world, random = World(), Random(1)  # noqa: S311 - dice
        browser = Browser(world, Siblings(parameters), Network(parameters, random, 1), random, parameters)
        world.run(HOUR)
        world.now = HOUR
        return browser

    def go_on(self, browser, seconds):
        browser.world.run(browser.world.now + seconds)
        browser.world.now += seconds

    def test_a_lid_that_closes_right_after_a_refresh_and_a_death_right_after_the_next_request(self, browser):
        first = browser.jar.refresh
        browser.send()
        self.go_on(browser, 0.5)
        assert browser.jar.refresh != first
        browser.close()
        browser.world.now += HOUR
        browser.wake()
        browser.send()
        self.go_on(browser, 0.5)
        browser.random.uniform = lambda low, high: high
        browser.die()
        assert browser.jar.refresh == first
        browser.send()
        self.go_on(browser, 60)
        assert browser.counts.sign_ins == 1

    def test_a_death_without_a_lid_costs_nothing(self, browser):
        first = browser.jar.refresh
        browser.send()
        self.go_on(browser, 0.5)
        browser.random.uniform = lambda low, high: high
        browser.die()
        assert browser.jar.refresh == first
        browser.send()
        self.go_on(browser, 60)
        assert browser.counts.sign_ins == 0

    def test_a_response_that_is_late_leaves_the_jar_alone(self, browser):
        first = browser.jar.refresh
        browser.network.work = lambda: 41.0
        browser.send()
        self.go_on(browser, 60)
        assert browser.jar.refresh == first

    def test_what_was_under_way_when_the_lid_closed_never_arrives(self, browser):
        first = browser.jar.refresh
        browser.send()
        browser.close()
        self.go_on(browser, HOUR)
        assert browser.jar.refresh == first


class TestReport:
    def test_the_page_is_in_step_with_what_would_be_written(self, results):
        tables = (report.summary(list(results.values())), report.by_kind(list(results.values())))
        page = report.PAGE.read_text()
        written = page[page.index(report.BEGIN) : page.index(report.END)]
        for header, *rows in tables:
            assert f"| {' | '.join(header)} |" in written
            written = written[written.index(f"| {' | '.join(header)} |") :]
            assert re.findall(r"^\| ([^|]+) \|", written, re.MULTILINE)[2 : 2 + len(rows)] == [row[0] for row in rows]

    def test_the_page_names_every_rule_beside_this_one(self):
        page = report.PAGE.read_text()
        assert all(f"| {rule.name} |" in page for rule in RULES[1:])

    def test_writing_fills_the_place_between_the_markers_and_no_other(self, results, tmp_path, monkeypatch):
        page, picture = tmp_path / "rotation.md", tmp_path / "rules.svg"
        page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
        monkeypatch.setattr(report, "PAGE", page)
        monkeypatch.setattr(report, "PICTURE", picture)
        everything = list(results.values())
        summary = responses.Summary("all", 3.0, 7.2, 9.4, 0.0)
        report.write(everything, [(60.0, everything[0])], [summary], "So it was made.")
        text = page.read_text()
        assert text.startswith("before\n") and text.endswith("\nafter\n")
        assert "old" not in text and "So it was made." in text
        ElementTree.fromstring(picture.read_text())  # noqa: S314 - written a moment ago

    def test_the_picture_has_a_dot_for_each_rule_and_its_own_background(self, results):
        picture = draw(list(results.values()))
        assert picture.count("<circle") == len(RULES)
        assert '<rect width="900" height="520" fill=' in picture


class TestModel:
    def test_it_needs_no_django(self):
        """The simulation drives the rule, not the site."""
        code = "import lab.simulation.__main__, sys; sys.exit('django' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

    def test_its_lifetimes_are_the_sites(self):
        assert (DEFAULT.access_lifetime, DEFAULT.confirm_after, DEFAULT.idle_lifetime) == (
            conf.access_lifetime,
            conf.confirm_after,
            conf.idle_lifetime,
        )
        assert (DEFAULT.probe_lifetime, DEFAULT.probes_at_most) == (LIFETIME, PROBES_AT_MOST)
