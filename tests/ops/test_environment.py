""".env.example explains every variable that the site and its files for production read, and no other."""

import ast
import re
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
    assert sorted(shown()) == sorted(read() - ELSEWHERE)


def test_each_is_explained_right_above():
    for block in EXAMPLE.split("\n\n"):
        lines = block.splitlines()
        names = [number for number, line in enumerate(lines) if re.match(r"(# )?[A-Z_]+=", line)]
        assert not names or (names[0] > 0 and len(lines[names[0] - 1]) > 20), block


def test_what_has_no_default_is_set_there():
    required = ("SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL", "TOKENS_ISSUER")
    assert all(re.search(rf"^{name}=", EXAMPLE, flags=re.M) for name in required)
