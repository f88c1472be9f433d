"""Check that whoever is woken by an alert finds its entry in docs/howto/runbook.md, in the order of the rules."""

import re
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs/howto/runbook.md"
GROUPS = yaml.safe_load((ROOT / "ops/prometheus/sojourn.rules.yml").read_text())["groups"]
ALERTS = [rule for group in GROUPS for rule in group["rules"] if "alert" in rule]


def test_each_alert_has_an_entry_and_no_other():
    assert re.findall(r"^## (\w+)$", PAGE.read_text(), flags=re.M) == [rule["alert"] for rule in ALERTS]


def test_each_alert_leads_to_its_entry():
    page = PAGE.relative_to(ROOT)
    assert [rule["annotations"]["runbook_url"] for rule in ALERTS] == [
        f"{page}#{rule['alert'].lower()}" for rule in ALERTS
    ]
