"""ops/prometheus: each alert is fired by its own event, in Prometheus's own test of rules, and by nothing else."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.postgres import give_up
from tests.programs import output_of

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent.parent
RULES = ROOT / "ops/prometheus/sojourn.rules.yml"
ALERTS = {rule["alert"]: rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}
OTHERS = {"up", "probe_ssl_earliest_cert_expiry"}  # Prometheus's own, and those of its blackbox exporter

# The series that an alert is about, each in an hour of bad minutes, and what it then says. First the event itself.
ONE = "0x9 1x60"  # nothing for ten minutes, and then one event
MANY = "0+1000x60"
EVALUATED = {"SojournSessionsGone": "64m"}  # which compares with an hour ago; the others after a quarter
FIRES = {
    "SojournDown": ({"up{job='sojourn'}": "0x60"}, {"job": "sojourn"}),
    "SojournCheckFails": ({"sojourn_check_ok{check='cache'}": "0x60"}, {"check": "cache"}),
    "SojournErrors": ({"sojourn_http_responses_total{view='home',status='503'}": MANY}, {}),
    "SojournViewFails": ({"sojourn_http_responses_total{view='home',status='500'}": ONE}, {"view": "home"}),
    "SojournSlow": (
        {
            "sojourn_http_seconds_bucket{view='metrics',le='+Inf'}": MANY,
            "sojourn_http_seconds_bucket{view='metrics',le='2.5'}": MANY,
            "sojourn_http_seconds_bucket{view='metrics',le='1.0'}": "0x60",
        },
        {},
    ),
    "SojournCopiesUsed": ({"sojourn_tokens_total{event='reused',reason=''}": "0x9 7x60"}, {}),
    "SojournDatabaseLostWrites": ({"sojourn_tokens_total{event='behind',reason=''}": ONE}, {}),
    "SojournRevocationLag": ({"sojourn_revocation_lag_seconds{list='process'}": "30x60"}, {}),
    "SojournGuessing": (
        {
            "sojourn_sign_ins_total{outcome='refused'}": MANY,
            "sojourn_sign_ins_total{outcome='throttled'}": MANY,
            "sojourn_sign_ins_total{outcome='opened'}": "0+1x60",
        },
        {},
    ),
    "SojournProviderFails": (
        {
            "sojourn_providers_total{provider='acme',outcome='failed'}": MANY,
            "sojourn_providers_total{provider='acme',outcome='accepted'}": "3x60",
        },
        {"provider": "acme"},
    ),
    "SojournMailStuck": ({"sojourn_mails_oldest_seconds": "2000x60"}, {}),
    "SojournManyRevocations": ({"sojourn_revocations_total{reason='admin'}": MANY}, {}),
    "SojournSlowVerification": (
        {
            "sojourn_verification_seconds_bucket{kind='access',le='+Inf'}": MANY,
            "sojourn_verification_seconds_bucket{kind='access',le='0.1'}": MANY,
            "sojourn_verification_seconds_bucket{kind='access',le='0.01'}": "0x60",
        },
        {"kind": "access"},
    ),
    "SojournSessionsGone": ({"sojourn_live_sessions": "100x5 40x70"}, {}),
    "SojournThrottled": ({"sojourn_throttled_total{limit='sign-in'}": MANY}, {"limit": "sign-in"}),
    "SojournNotTidied": ({"sojourn_overdue_seconds{command='tidyaccounts'}": "200000x60"}, {"command": "tidyaccounts"}),
    "SojournKeyOld": ({"sojourn_key_age_seconds": "40000000x60"}, {}),
    "SojournStatusListFull": ({"sojourn_status_list_used_ratio": "0.9x60"}, {}),
    "SojournConnectionsUsed": (
        {"sojourn_db_connections": "92x60", "sojourn_db_connections_limit": "97x60"},
        {},
    ),
    "SojournCertificateExpires": (
        {"probe_ssl_earliest_cert_expiry{instance='https://example.org'}": "900000x60"},
        {"instance": "https://example.org"},
    ),
}
# The same, of a site that is well.
WELL = {
    **{series: "0x60" for series, _ in FIRES.values() for series in series},
    **{"up{job='sojourn'}": "1x60", "sojourn_check_ok{check='cache'}": "1x60", "sojourn_live_sessions": "100x80"},
    **{"sojourn_db_connections": "9x60", "sojourn_db_connections_limit": "97x60"},
    "probe_ssl_earliest_cert_expiry{instance='https://example.org'}": "9000000x60",
}


def case(series, alert, **expected):
    """One test of promtool: whether `alert` fires within the hour."""
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [{"eval_time": EVALUATED.get(alert, "15m"), "alertname": alert} | expected],
    }


def said(alert, labels):
    rule = ALERTS[alert]
    summary = re.sub(r"{{ \$labels\.(\w+) }}", lambda found: labels[found[1]], rule["annotations"]["summary"])
    return [
        {
            "exp_labels": rule["labels"] | labels,
            "exp_annotations": rule["annotations"] | {"summary": summary},
        }
    ]


@pytest.fixture(scope="module")
def scraped():
    """All that a site tells at the second scrape, to which nothing has happened: it has not even a database."""
    script = (
        "import django; django.setup(); from django.test import Client\n"
        "for _ in range(2): text = Client().get('/metrics', headers={'authorization': 'Bearer let-me-read'}).content\n"
        "print(text.decode())"
    )
    environment = {
        **{"DJANGO_SETTINGS_MODULE": "tests.settings", "METRICS_TOKEN": "let-me-read", "LOG_LEVEL": "error"},
        "PROVIDERS": '[{"name": "acme", "issuer": "https://acme.example.org", "client_id": "us"}]',
        "PROVIDER_ACME_SECRET": "none",
    }
    return list(text_string_to_metric_families(output_of("-c", script, env=os.environ | environment)))


def test_each_alert_is_fired_by_its_own_event_and_by_nothing_on_a_site_that_is_well(tmp_path):
    program = shutil.which("promtool") or give_up("No promtool here: `apt install prometheus`.")
    assert FIRES.keys() == ALERTS.keys()
    cases = [case(series, alert, exp_alerts=said(alert, labels)) for alert, (series, labels) in FIRES.items()]
    gone = case({"up{job='others'}": "1x60"}, "SojournDown", exp_alerts=said("SojournDown", {"job": "sojourn"}))
    well = [case(WELL, alert, exp_alerts=[]) for alert in ALERTS]
    tests = {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [*cases, gone, *well]}
    (tmp_path / "tests.json").write_text(json.dumps(tests))  # which is YAML as well
    command = [program, "test", "rules", tmp_path / "tests.json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", FIRES)
def test_the_site_tells_the_series_before_the_first_event(scraped, alert):
    """Otherwise Prometheus sees no increase in it. What comes from the database has to be known by name at least."""
    series = next(iter(FIRES[alert][0]))
    name = series.partition("{")[0]
    labels = dict(re.findall(r"(\w+)='([^']*)'", series))
    if name in OTHERS:
        return
    family = max((family for family in scraped if name.startswith(family.name)), key=lambda family: len(family.name))
    found = [sample.value for sample in family.samples if (sample.name, sample.labels) == (name, labels)]
    assert found or not family.samples or name == "sojourn_check_ok", family.samples
    assert not name.endswith("_total") or found == [0]


def test_each_has_a_severity_and_its_entry_in_the_runbook_which_has_no_other():
    page = (ROOT / "docs/howto/runbook.md").read_text()
    assert re.findall(r"^## (\w+)$", page, re.M) == list(ALERTS)
    for alert, rule in ALERTS.items():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["runbook_url"] == f"docs/howto/runbook.md#{alert.lower()}"
