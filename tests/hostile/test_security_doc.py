"""docs/security.md claims nothing that no test shows, and what it lists is what there is."""

import ast
import re
from pathlib import Path

import pytest
from django.conf import settings

from tokens import probe
from tokens.conf import Conf
from tokens.events import TokenEvent

pytestmark = pytest.mark.once

ROOT = Path(settings.BASE_DIR)
PAGE = (ROOT / "docs/security.md").read_text()
CRYPTOGRAPHY = re.compile(
    r"^\s*(?:import|from) (?:hashlib|hmac|secrets|jwt|cryptography|argon2|django\.core\.signing|django\.utils\.crypto"
    r"|django\.contrib\.auth\.hashers)\b|^from django\.core import .*\bsigning\b",
    flags=re.M,
)


def rows():
    """The rows that name tests: (ids, what is asked, what holds it)."""
    tables = re.findall(r"^\| id \| asked \| held by \|\n\|[-|]+\|\n((?:\|.*\n?)+)", PAGE, flags=re.M)
    return [[cell.strip() for cell in line.strip("|\n").split("|")] for table in tables for line in table.splitlines()]


def named(cell):
    return re.findall(r"([\w/]+)::(\w+)", cell)


def shown_by(file):
    """Every test and every class of tests in a file; one that is expected to fail shows nothing."""
    for node in ast.walk(ast.parse((ROOT / f"tests/{file}.py").read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            marks = " ".join(map(ast.unparse, node.decorator_list))
            if node.name.lower().startswith("test") and "xfail" not in marks and "skip" not in marks:
                yield node.name


def test_it_has_the_tables():
    assert len(rows()) > 90
    assert all(len(row) == 3 for row in rows())
    ids = [one for row in rows() for one in row[0].split(", ")]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_each_row_names_tests_that_exist_or_says_not_yet(row):
    for file, name in named(row[2]):
        assert name in shown_by(file), f"{file}::{name}"
    assert named(row[2]) or row[2].startswith("not yet")
    for part in re.split(r";", row[2]):
        assert named(part) or "not yet" in part, part


def test_the_lifetimes_are_the_settings(settings):
    del settings.TOKENS_REVOCATION_LAG  # which the tests set otherwise
    conf = Conf()  # the site's own has read it before
    said = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|$", PAGE, flags=re.M))
    assert len(said) == 9
    for name, number in said.items():
        meant = getattr(conf, name.removeprefix("TOKENS_").lower()) if name.startswith("TOKENS_") else None
        assert int(number) == (getattr(settings, name) if meant is None else meant), name
    assert f"The probe of a stale token lives for {probe.LIFETIME} seconds." in PAGE


def test_the_branches_it_names_are_the_rules():
    section = PAGE.partition("## What is logged")[2].partition("## ")[0]
    assert set(re.findall(r"`([a-z_]+)`", section)) - {"tokens", "sid"} == {branch.value for branch in TokenEvent}


def test_the_list_of_cryptography_is_complete():
    section = PAGE.partition("Where cryptography is used")[2].partition("## ")[0]
    used = {
        str(path.relative_to(ROOT))
        for folder in ("accounts", "project", "tokens")
        for path in (ROOT / folder).rglob("*.py")
        if CRYPTOGRAPHY.search(path.read_text())
    }
    assert set(re.findall(r"`(\w+/[\w/]+\.py)`", section)) == used


@pytest.mark.django_db
def test_the_headers_it_names_are_sent(client):
    response = client.get("/", secure=True)
    for name in ("Content-Security-Policy", "Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy"):
        assert name in PAGE
        assert name in response.headers
    assert "Strict-Transport-Security" in response.headers
    assert "Clear-Site-Data" in client.post("/accounts/logout/").headers
