"""What the dashboard, the alerts and the documentation name is what the site counts, all of it."""

import json
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from accounts.db_metrics import db_metrics
from tests.tokens.clock import copy_of, elapse
from tokens.events import TokenEvent
from tokens.models import RefreshToken
from tokens.testing import Client

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]

ROOT = Path(__file__).resolve().parent.parent.parent
EXPIRED = 16 * 60
OUTCOMES = {"opened", "refused", "throttled"}
OF_PROMETHEUS = {"job", "instance"}


@pytest.fixture
def scraped(bob, sign_in, settings):
    """The names of all samples of the site's own, each with its labels, after something of everything has happened."""
    settings.METRICS_TOKEN = "let-me-read"
    for _ in range(12):
        Client().post("/accounts/login/", {"username": "bob", "password": "wrong"})
    browser = Client()
    browser.force_login(bob)
    old = copy_of(browser)
    for _ in range(2):
        elapse(EXPIRED, browser, old)
        browser.get("/")
    old.get("/", follow=True)
    db_metrics.forget()
    text = Client().get("/metrics", headers={"authorization": "Bearer let-me-read"}).content.decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {sample.name: set(sample.labels) for sample in samples if sample.name.startswith("sojourn_")}


def dashboard():
    board = json.loads((ROOT / "ops/grafana/sojourn.json").read_text())
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def alerts():
    return re.findall(r"expr: (.+)", (ROOT / "ops/prometheus/sojourn.rules.yml").read_text())


def used(expression):
    """The names in an expression, each with the labels that it is asked for."""
    grouped = {label for group in re.findall(r"by \(([^)]*)\)", expression) for label in re.findall(r"\w+", group)}
    for name, matchers in re.findall(r"\b(sojourn_\w+)(?:\{([^}]*)\})?", expression):
        yield name, grouped | set(re.findall(r"(\w+)\s*(?:=|!)", matchers or "")) - OF_PROMETHEUS


@pytest.mark.parametrize("where", [dashboard, alerts])
def test_all_that_is_asked_for_is_there(scraped, where):
    assert len(where()) > 5
    for expression in where():
        for name, labels in used(expression):
            assert name in scraped, expression
            assert labels <= scraped[name], expression


def test_all_that_is_there_is_shown(scraped):
    assert len(scraped) > 9
    assert {name for expression in dashboard() for name, _ in used(expression)} == scraped.keys()


@pytest.mark.parametrize("where", [dashboard, alerts])
def test_no_value_is_asked_for_that_never_comes(where):
    values = {"event": set(TokenEvent), "outcome": OUTCOMES, "reason": set(RefreshToken.Reason)}
    for expression in where():
        for label, wanted in re.findall(r'(event|outcome|reason)=~?"([^"]+)"', expression):
            assert set(wanted.split("|")) <= values[label], expression


def test_the_documentation_has_each_with_its_labels(scraped):
    page = (ROOT / "docs/howto/observe.md").read_text()
    told = {
        name: set(re.findall(r"`(\w+)`", labels))
        for name, labels in re.findall(r"^\| `(sojourn_\w+)` \|([^|]*)\|", page, re.M)
    }
    families = {re.sub(r"_(bucket|sum|count)$", "", name): labels - {"le"} for name, labels in scraped.items()}
    assert told == families


def test_each_alert_is_explained():
    names = re.findall(r"alert: (\w+)", (ROOT / "ops/prometheus/sojourn.rules.yml").read_text())
    page = (ROOT / "docs/howto/observe.md").read_text()
    assert names == re.findall(r"^\| `(Sojourn\w+)` \|", page, re.M)
