"""ops/Dockerfile and ops/compose.yaml, as far as they can be tried without Docker."""

import os
import re
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml
from django.core.management import get_commands

from tests.http_server import Handler, serving

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent.parent
DOCKERFILE = (ROOT / "ops/Dockerfile").read_text()
SERVICES = yaml.safe_load((ROOT / "ops/compose.yaml").read_text())["services"]


@pytest.mark.parametrize(
    "words",
    [
        ("hadolint", "--failure-threshold", "style", "ops/Dockerfile"),
        ("compose-lint", "check", "ops/compose.yaml"),
    ],
    ids=lambda words: words[0],
)
def test_the_linter_finds_nothing(words):
    program = Path(sysconfig.get_path("scripts")) / words[0]
    done = subprocess.run([program, *words[1:]], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


class TestDockerfile:
    def test_bases_are_one_python_that_the_site_runs_on(self):
        [base] = re.findall(r"^ARG BASE=(\S+)$", DOCKERFILE, flags=re.M)
        assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, flags=re.M)) == {"${BASE}"}
        version = re.fullmatch(r"python:(3\.\d+)-slim-bookworm", base)[1]
        assert version in (ROOT / "README.md").read_text()

    def test_it_runs_as_nobody_in_particular(self):
        last = DOCKERFILE.rpartition("\nFROM ")[2]
        assert last.index("\nUSER 10001\n") < last.index("\nCMD ")

    def test_files_are_collected_under_the_environment_that_it_gives(self, tmp_path):
        [line] = re.findall(r"^RUN (SECRET_KEY=.*\\\n.*)$", DOCKERFILE, flags=re.M)
        words = shlex.split(line.replace("\\\n", ""))
        given = dict(word.split("=", 1) for word in words[:4])
        command = [sys.executable, *words[5:], "--dry-run"]
        environment = {"PATH": os.environ["PATH"], **given, "STATIC_ROOT": str(tmp_path)}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
        assert "static files" in done.stdout, done.stderr

    def test_no_secret_and_nothing_of_the_tests_comes_into_it(self):
        ignored = (ROOT / ".dockerignore").read_text().split()
        assert {".*", "tests", "demo-data"} <= set(ignored)
        assert [line for line in ignored if line.startswith("!")] == ["!.env.example"]


class Site(Handler):
    status = 200

    def do_GET(self):
        good = self.headers["Host"] == "example.org" and self.path == "/healthz"
        self.send_response(self.status if good else 400)
        self.end_headers()


def test_the_health_check_asks_under_a_name_that_the_site_answers_to(monkeypatch):
    def check(port):
        command = [sys.executable, "ops/healthcheck.py", str(port)]
        environment = {"ALLOWED_HOSTS": ".example.org, example.com"}
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=60).returncode

    with serving(Site) as port:
        assert check(port) == 0
        monkeypatch.setattr(Site, "status", 503)
        assert check(port) == 1
    assert check(port) == 1  # nobody is there


class TestCompose:
    def test_it_has_the_site_a_postgresql_and_a_redis_each_pinned(self):
        images = {name: service["image"] for name, service in SERVICES.items()}
        assert images.keys() == {"web", "tables", "tidy", "database", "cache"}
        assert images["database"].startswith("postgres:") and images["cache"].startswith("redis:")
        assert all(":" in image and not image.endswith(":latest") for image in images.values())
        assert all(set(service.get("depends_on", {})) <= SERVICES.keys() for service in SERVICES.values())

    def test_what_it_sets_is_what_the_site_reads(self):
        example = (ROOT / ".env.example").read_text()
        ours = [service for service in SERVICES.values() if service["image"].startswith("sojourn")]
        assert ["PROMETHEUS_MULTIPROC_DIR" in service["environment"] for service in ours] == [True, False, False]
        for service in ours:
            assert all(re.search(rf"^(# )?{name}=", example, flags=re.M) for name in service["environment"])
            assert service["read_only"] and service["cap_drop"] == ["ALL"]

    def test_the_keys_are_in_a_volume_that_the_server_only_reads(self):
        ours = {
            name: service["volumes"] for name, service in SERVICES.items() if service["image"].startswith("sojourn")
        }
        assert ours == {"web": ["keys:/srv/keys:ro"], "tables": ["keys:/srv/keys"], "tidy": ["keys:/srv/keys"]}
        assert "--mode=700 /srv/keys" in DOCKERFILE

    def test_services_ask_one_another_by_name_and_only_this_machine_reaches_the_site(self):
        given = SERVICES["web"]["environment"]
        assert given["DATABASE_URL"].endswith("@database:5432/sojourn")
        assert given["CACHE_URL"].startswith("redis://cache:")
        assert {name: service["ports"] for name, service in SERVICES.items() if "ports" in service} == {
            "web": ["127.0.0.1:8000:8000"]
        }

    def test_redis_drops_nothing_by_itself(self):
        words = SERVICES["cache"]["command"]
        assert words[words.index("--maxmemory-policy") + 1] == "noeviction"

    @pytest.mark.parametrize("name", ["tables", "tidy"])
    def test_every_command_is_one_that_the_site_has(self, name):
        said = re.findall(r"manage\.py[ ',]+(\w+)", " ".join(SERVICES[name]["command"]))
        assert said and set(said) <= set(get_commands())
