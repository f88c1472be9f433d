"""What the dashboard, the alerts and the documentation name is what the site counts, all of it."""

import json
import re
from pathlib import Path

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from accounts.signals import provider_asked
from tests.tokens.clock import left_behind
from tokens.events import Refusal, Skip, TokenEvent
from tokens.models import RefreshToken
from tokens.testing import Client

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs/howto/observe.md").read_text()
RULES = (ROOT / "ops/prometheus/sojourn.rules.yml").read_text()
BOARD = json.loads((ROOT / "ops/grafana/sojourn.json").read_text())
DASHBOARD = [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]
ALERTS = re.findall(r"expr: (.+)", RULES)
VALUES = {
    "event": set(TokenEvent),
    "outcome": {"opened", "refused", "throttled", "accepted", "failed"},
    "reason": {*RefreshToken.Reason, *Refusal, *Skip},
}
OF_PROMETHEUS = {"job", "instance"}


@pytest.fixture
def scraped(bob, sign_in, metrics):
    """The names of all samples of the site's own, each with its labels, after something of everything has happened."""
    for _ in range(12):
        Client().post("/accounts/login/", {"username": "bob", "password": "wrong"})
    browser = Client()
    browser.force_login(bob)
    old = left_behind(browser)
    old.get("/", follow=True)
    provider_asked.send(None, name="acme", outcome="failed")
    found = metrics()
    without = {family.name: set() for family in found if not family.samples}  # there is no key, and no PostgreSQL
    return without | {sample.name: set(sample.labels) for family in found for sample in family.samples}


def used(expression):
    """The names in an expression, each with the labels that it is asked for."""
    grouped = {label for group in re.findall(r"by \(([^)]*)\)", expression) for label in re.findall(r"\w+", group)}
    for name, matchers in re.findall(r"\b(sojourn_\w+)(?:\{([^}]*)\})?", expression):
        yield name, grouped | set(re.findall(r"(\w+)\s*(?:=|!)", matchers or "")) - OF_PROMETHEUS


def test_all_that_is_asked_for_is_there_and_all_that_is_there_is_shown(scraped):
    assert len(DASHBOARD) > 5 and len(ALERTS) > 5 and len(scraped) > 9
    for expression in DASHBOARD + ALERTS:
        for name, labels in used(expression):
            assert labels <= scraped[name], expression
    assert {name for expression in DASHBOARD for name, _ in used(expression)} == scraped.keys()


def test_grafana_knows_every_part_of_the_dashboard():
    """Read by Grafana's own types and written again, nothing is missing: what they do not know is left out."""
    register_default_plugins()
    assert missing(BOARD, json.loads(JSONEncoder().encode(Dashboard.from_json(BOARD)))) == []


def test_no_panel_hides_another():
    cells = [
        (at["x"] + x, at["y"] + y)
        for at in (panel["gridPos"] for panel in BOARD["panels"])
        for x in range(at["w"])
        for y in range(at["h"])
    ]
    assert len(cells) == len(set(cells)) and max(cells)[0] < 24


def missing(ours, known, place=""):
    """The places in `ours` that `known`, which may have more, has not or has otherwise."""
    if isinstance(ours, dict) and isinstance(known, dict):
        return [each for name in ours for each in missing(ours[name], known.get(name), f"{place}/{name}")]
    if isinstance(ours, list) and isinstance(known, list) and len(ours) == len(known):
        return [each for index in range(len(ours)) for each in missing(ours[index], known[index], f"{place}/{index}")]
    return [] if ours == known else [place]


def test_no_value_is_asked_for_that_never_comes():
    for expression in DASHBOARD + ALERTS:
        for label, wanted in re.findall(r'(event|outcome|reason)=~?"([^"]+)"', expression):
            assert set(wanted.split("|")) <= VALUES[label], expression


def test_the_documentation_has_each_with_its_labels(scraped):
    lists = PAGE.partition("* **Of a server**")[2].partition("\n\n")[0]
    told = {
        name: set(re.findall(r"`(\w+)`", labels))
        for name, labels in re.findall(r"`(sojourn_\w+)`(?:\s+\(([^)]*)\))?", lists)
    }
    families = {re.sub(r"_(bucket|sum|count)$", "", name): labels - {"le"} for name, labels in scraped.items()}
    assert told == families
