"""Prometheus itself, configured as docs/howto/observe.md says, reads the server of ops/systemd behind ops/nginx."""

import json
import re
import shutil
import subprocess
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.ops import nginx
from tests.ops.certificate import self_signed
from tests.ops.test_reload import Unit
from tests.postgres import give_up
from tests.smtp import wait_until

pytestmark = [pytest.mark.once, pytest.mark.slow]

ROOT = Path(__file__).resolve().parent.parent.parent
TOKEN = "let-me-read-0123456789"


def documented(folder, port):
    """The configuration of the documentation, with names and paths of the test's own."""
    page = (ROOT / "docs/howto/observe.md").read_text()
    text = re.search(r"^    scrape_configs:\n(?:    .*\n)+", page, flags=re.M)[0]
    for ours, its in (
        ("example.org", f"localhost:{port}"),
        ("/etc/prometheus/sojourn.rules.yml", str(ROOT / "ops/prometheus/sojourn.rules.yml")),
        ("/etc/prometheus/", f"{folder}/"),
        (
            "        scheme: https\n",
            f"        scheme: https\n        tls_config: {{ca_file: {folder}/fullchain.pem}}\n",
        ),
    ):
        assert ours in text
        text = text.replace(ours, its)
    return "global: {scrape_interval: 2s}\n" + re.sub(r"^    ", "", text, flags=re.M)


@pytest.fixture
def asked(tmp_path):
    """`asked(path)`: what Prometheus answers to that, once it has read the site."""
    program = shutil.which("prometheus") or give_up("No Prometheus here: `apt install prometheus`.")
    unit = Unit(tmp_path)
    metrics = tmp_path / "metrics"
    unit.environment |= {"METRICS_TOKEN": TOKEN, "TRUSTED_PROXIES": "1", "PROMETHEUS_MULTIPROC_DIR": str(metrics)}
    unit.environment |= {"SECURE_SSL_REDIRECT": "true", "TOKENS_ISSUER": "https://localhost"}
    unit.environment |= {"FAULTS_URLS": "project.urls"}
    (tmp_path / "sojourn-token").write_text(TOKEN)
    try:
        unit.start()
        with nginx.serving(tmp_path, [f"unix:{tmp_path}/socket"], self_signed(tmp_path)) as (_, port):
            (tmp_path / "prometheus.yml").write_text(documented(tmp_path, port))
            [own] = nginx.free_ports(1)
            command = [program, f"--config.file={tmp_path}/prometheus.yml", f"--web.listen-address=127.0.0.1:{own}"]
            with (tmp_path / "prometheus.log").open("wb") as log:
                process = subprocess.Popen(
                    [*command, f"--storage.tsdb.path={tmp_path}/data"], cwd=tmp_path, stdout=log, stderr=log
                )

            def asked(path):
                with closing(HTTPConnection("127.0.0.1", own, timeout=60)) as connection:
                    connection.request("GET", f"/api/v1/{path}")
                    return json.load(connection.getresponse())["data"]

            def has_read():
                assert process.poll() is None, (tmp_path / "prometheus.log").read_text()
                with suppress(OSError, HTTPException, ValueError):
                    return [target["health"] for target in asked("targets")["activeTargets"]] == ["up"]

            try:
                wait_until(has_read, seconds=90)
                yield asked
            finally:
                process.terminate()
                process.wait(30)
    finally:
        unit.close()


def test_the_documented_configuration_reads_the_shipped_one(asked):
    [target] = asked("targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    rules = asked("rules")["groups"][0]["rules"]
    assert len(rules) > 9 and {rule["health"] for rule in rules} <= {"ok", "unknown"}

    def value(query):
        return [float(found["value"][1]) for found in asked(f"query?query={quote(query)}")["result"]]

    assert value('up{job="sojourn"}') == [1]
    assert value('sojourn_tokens_total{event="behind"}') == [0]
    [workers] = value("count(process_resident_memory_bytes > 0)")
    assert workers >= 1
