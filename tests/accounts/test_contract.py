"""The document of the API beside the production server: whatever is asked, the answer is one of those it names."""

import json
import subprocess
import sys
from importlib.resources import files
from urllib.parse import urlsplit

import pytest
import schemathesis

from tests.resilience.server import ROOT, Site

pytestmark = [pytest.mark.once, pytest.mark.slow]

DOCUMENT = json.loads(files("accounts.api").joinpath("openapi.json").read_text())
CREDENTIALS = DOCUMENT["paths"]["/auth/login"]["post"]["requestBody"]["content"]["application/json"]["example"]
PASSWORD = CREDENTIALS["password"]
WITH_CODE = DOCUMENT["paths"]["/auth/second-factor"]["post"]["requestBody"]["content"]["application/json"]["example"]
PEOPLE = f"""
from django.contrib.auth.hashers import make_password
from django.core.management import call_command
from accounts.models import Attempt, RecoveryCode, User
from accounts.models.factors import digest
call_command("migrate", verbosity=0)
User.objects.create_superuser("alice", "alice@example.org", {PASSWORD!r})
User.objects.create_user("bob", "bob@example.org", {PASSWORD!r})
carol = User.objects.create_user("carol", "carol@example.org", {PASSWORD!r})
code = {WITH_CODE["code"].replace("-", "")!r}
RecoveryCode.objects.create(user=carol, head=code[:2], code_hash=make_password(code))
version, key = carol.password_version, digest({WITH_CODE["attempt"]!r})
Attempt.objects.create(user=carol, key=key, password_version=version, is_app=True)
"""
SIGNING_IN = """
[auth.dynamic.openapi.{scheme}]
path = "/auth/login"
payload = {{ username = "{name}", password = "{password}" }}
extract_selector = "/{member}"
"""
# Given to a browser's access token, which schemathesis does not have (test_api.py has).
TO_BROWSERS = {("DELETE", "/sessions/{id}", "403"), ("POST", "/auth/logout-everywhere", "403")}
TROUBLE = {"411", "413", "429", "503"}  # answers that nobody is asked for here


@pytest.fixture
def server(tmp_path):
    """With three people, whose password is that of the document's example; alice is of the staff, and carol's sign-in
    waits for the code of the other example."""
    with Site(tmp_path, f"sqlite:///{tmp_path}/db.sqlite3") as site:
        command = [sys.executable, "manage.py", "shell", "-v0", "-c", PEOPLE]
        subprocess.run(command, cwd=ROOT, env=site.environment, check=True, timeout=60)
        yield site.serve()


class Run:
    """schemathesis at work, with all its checks: as `name`, who signs in whenever the API says 401, or as nobody."""

    def __init__(self, folder, port, name, *operations):
        self.report, config = folder / f"{name}.har", folder / f"{name}.toml"
        config.write_text(signing_in(name) if name else "")
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", config, "run"]
        command += [f"http://localhost:{port}/api/openapi.json", *operations, "--checks", "all"]
        command += ["--seed", "1", "--max-examples", "5", "--generation-database", "none"]
        command += ["--report", "har", "--report-har-path", self.report, "--no-color"]
        self.process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def answers(self):
        """The method, path and status of every answer. Fails if there was one that the document does not name."""
        told, _ = self.process.communicate(timeout=90)
        assert self.process.returncode == 0, told
        entries = json.loads(self.report.read_text())["log"]["entries"]
        return {(entry["request"]["method"], path(entry), str(entry["response"]["status"])) for entry in entries}


def signing_in(name):
    tokens = {"accessToken": "access_token", "refreshToken": "refresh_token"}
    return "".join(
        SIGNING_IN.format(scheme=scheme, member=member, name=name, password=PASSWORD)
        for scheme, member in tokens.items()
    )


def path(entry):
    """As the document has it."""
    found = urlsplit(entry["request"]["url"]).path.removeprefix("/api")
    return "/sessions/{id}" if found.startswith("/sessions/") else found


def documented():
    return {
        (method.upper(), path, status)
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
        for status in operation["responses"]
        if status not in TROUBLE
    }


def test_every_answer_is_one_that_the_document_names_and_each_of_these_is_given(server, tmp_path):
    """The visitor, who guesses passwords, comes when the others need not sign in any more."""
    without = ["--exclude-path", "/auth/login", "--exclude-path", "/auth/second-factor"]
    signed_in = [
        Run(tmp_path, server.port, "alice", *without),
        Run(tmp_path, server.port, "bob", "--include-path", "/admin/dashboard", "--phases", "coverage"),
    ]
    given = set().union(*(run.answers() for run in signed_in))
    given |= Run(tmp_path, server.port, "").answers()
    assert documented() - given == TO_BROWSERS


def test_is_openapi():
    schemathesis.openapi.from_dict(DOCUMENT).validate()
