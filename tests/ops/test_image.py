"""ops/Dockerfile and ops/compose.yaml, as far as they can be tried without Docker."""

import os
import re
import shlex
import subprocess
import sys
import sysconfig
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml
from django.core.management import get_commands

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent.parent
DOCKERFILE = (ROOT / "ops/Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "ops/compose.yaml").read_text())
SERVICES = COMPOSE["services"]


def lint(*command):
    program = Path(sysconfig.get_path("scripts")) / command[0]
    return subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True, timeout=60)


class TestDockerfile:
    def test_hadolint_finds_nothing(self):
        done = lint("hadolint", "--failure-threshold", "style", "ops/Dockerfile")
        assert (done.returncode, done.stdout) == (0, "")

    def test_bases_have_a_tag_and_python_is_one_that_the_site_runs_on(self):
        bases = re.findall(r"^FROM (\S+)", DOCKERFILE, flags=re.M)
        assert len(bases) == 2 and len(set(bases)) == 1
        version = re.fullmatch(r"python:(3\.\d+)-slim-bookworm", bases[0])[1]
        assert version in (ROOT / "README.md").read_text()

    def test_it_runs_as_nobody_in_particular(self):
        last = DOCKERFILE.rpartition("\nFROM ")[2]
        assert re.search(r"^USER 10001$", last, flags=re.M)
        assert last.index("USER 10001") < last.index("\nCMD ")

    def test_files_are_collected_under_the_environment_that_it_gives(self, tmp_path):
        [line] = re.findall(r"^RUN (SECRET_KEY=.*\\\n.*)$", DOCKERFILE, flags=re.M)
        words = shlex.split(line.replace("\\\n", ""))
        given = dict(word.split("=", 1) for word in words[:4])
        command = [sys.executable, *words[5:], "--dry-run"]
        environment = {"PATH": os.environ["PATH"], **given, "STATIC_ROOT": str(tmp_path)}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert "static files" in done.stdout

    def test_no_secret_and_nothing_of_the_tests_comes_into_it(self):
        ignored = (ROOT / ".dockerignore").read_text().split()
        assert {".*", "tests", "demo-data"} <= set(ignored)
        assert [line for line in ignored if line.startswith("!")] == ["!.env.example"]


class TestHealthcheck:
    @pytest.fixture
    def server(self):
        class Site(BaseHTTPRequestHandler):
            status = 200

            def do_GET(self):
                good = self.headers["Host"] == "example.org" and self.path == "/healthz"
                self.send_response(self.status if good else 400)
                self.end_headers()

            def log_message(self, *_):
                """Nothing."""

        server = HTTPServer(("127.0.0.1", 0), Site)
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield server
        server.shutdown()
        server.server_close()
        serving.join()

    def check(self, port):
        command = [sys.executable, "ops/healthcheck.py", str(port)]
        environment = {"ALLOWED_HOSTS": ".example.org, example.com"}
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=30).returncode

    def test_it_asks_under_a_name_that_the_site_answers_to(self, server):
        assert self.check(server.server_port) == 0
        server.RequestHandlerClass.status = 503
        assert self.check(server.server_port) == 1

    def test_without_a_server_it_fails(self, server):
        server.shutdown()
        server.server_close()
        assert self.check(server.server_port) == 1


class TestCompose:
    def test_the_linter_finds_nothing_grave(self):
        done = lint("compose-lint", "check", "ops/compose.yaml")
        assert done.returncode == 0, done.stdout

    def test_it_has_the_site_a_postgresql_and_a_redis_each_pinned(self):
        images = {name: service["image"] for name, service in SERVICES.items()}
        assert images.keys() == {"web", "tables", "tidy", "database", "cache"}
        assert images["database"].startswith("postgres:")
        assert images["cache"].startswith("redis:")
        assert all(":" in image and not image.endswith(":latest") for image in images.values())

    def test_what_it_sets_is_what_the_site_reads(self):
        example = (ROOT / ".env.example").read_text()
        ours = [service for service in SERVICES.values() if service["image"].startswith("sojourn")]
        assert len(ours) == 3
        assert ["PROMETHEUS_MULTIPROC_DIR" in service["environment"] for service in ours] == [True, False, False]
        for service in ours:
            assert all(re.search(rf"^(# )?{name}=", example, flags=re.M) for name in service["environment"])
            assert service["read_only"] and service["cap_drop"] == ["ALL"]

    def test_the_site_asks_the_services_by_their_names(self):
        given = SERVICES["web"]["environment"]
        assert given["DATABASE_URL"].endswith("@database:5432/sojourn")
        assert given["CACHE_URL"].startswith("redis://cache:")

    def test_only_this_machine_reaches_it_and_the_others_are_reached_by_it_alone(self):
        assert SERVICES["web"]["ports"] == ["127.0.0.1:8000:8000"]
        assert [name for name, service in SERVICES.items() if "ports" in service] == ["web"]

    def test_redis_drops_nothing_by_itself(self):
        words = SERVICES["cache"]["command"]
        assert words[words.index("--maxmemory-policy") + 1] == "noeviction"

    @pytest.mark.parametrize("name", ["tables", "tidy"])
    def test_every_command_is_one_that_the_site_has(self, name):
        said = re.findall(r"manage\.py[ ',]+(\w+)", " ".join(SERVICES[name]["command"]))
        assert said and set(said) <= set(get_commands())

    def test_each_waits_for_what_is_there(self):
        for service in SERVICES.values():
            assert set(service.get("depends_on", {})) <= SERVICES.keys()
