""".env.example explains every variable that the site and its files for production read, and no other."""

import ast
import os
import re
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLE = (ROOT / ".env.example").read_text()
ELSEWHERE = {"DJANGO_SETTINGS_MODULE"}  # the site sets it by itself


def read_by(path):
    """The names of variables that a Python file asks the environment for."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and node.args:
            asked, name = ast.unparse(node.func), node.args[0]
            of_environment = re.match(r"(env\.\w+|os\.environ\.get|os\.getenv)$", asked)
        elif isinstance(node, ast.Subscript):
            of_environment, name = ast.unparse(node.value) == "os.environ", node.slice
        elif isinstance(node, ast.Compare):
            of_environment, name = ast.unparse(node.comparators[0]) == "os.environ", node.left
        else:
            continue
        if of_environment and isinstance(name, ast.Constant):
            yield name.value


def read():
    files = [path for folder in ("accounts", "ops", "project", "tokens") for path in (ROOT / folder).rglob("*.py")]
    compose = re.findall(r"\$\{(\w+)", (ROOT / "ops/compose.yaml").read_text())
    return {name for path in files for name in read_by(path)} | set(compose)


def shown():
    return re.findall(r"^(?:# )?([A-Z][A-Z_]+)=", EXAMPLE, flags=re.M)


def test_each_is_shown_once_and_each_that_is_shown_is_read():
    assert sorted(shown()) == sorted({*read(), "PROVIDER_GOOGLE_SECRET"} - ELSEWHERE)


def test_each_is_explained_right_above():
    for block in EXAMPLE.split("\n\n"):
        lines = block.splitlines()
        names = [number for number, line in enumerate(lines) if re.match(r"(# )?[A-Z_]+=", line)]
        assert not names or (names[0] > 0 and len(lines[names[0] - 1]) > 20), block


def test_a_command_runs_in_all_of_it_as_the_user_of_the_servers(tmp_path):
    file, runuser = tmp_path / "environment", tmp_path / "runuser"
    file.write_text(re.sub(r"^# (?=[A-Z_]+=)", "", EXAMPLE, flags=re.M))
    runuser.write_text('#!/bin/sh\nenv\necho "$@"\n')
    runuser.chmod(0o755)
    command = [ROOT / "ops/manage", "sessionreport", "--json"]
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SOJOURN_ENVIRONMENT": str(file)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    *variables, words = done.stdout.splitlines()
    assert done.stderr == ""
    assert words == "-u sojourn -- .venv/bin/python manage.py sessionreport --json"
    assert set(shown()) <= {line.partition("=")[0] for line in variables}
    assert "DEFAULT_FROM_EMAIL=Sojourn <noreply@example.org>" in variables


def test_what_has_no_default_is_set_there():
    required = ("SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL", "TOKENS_ISSUER")
    assert all(re.search(rf"^{name}=", EXAMPLE, flags=re.M) for name in required)
