"""Check that docs/reference/security.md claims nothing without a test, and that its lists are complete."""

import ast
import re
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Permission

from tokens import probe
from tokens.conf import Conf
from tokens.events import TokenEvent

pytestmark = pytest.mark.once

ROOT = Path(settings.BASE_DIR)
PAGE = (ROOT / "docs/reference/security.md").read_text()
SETTINGS = (ROOT / "docs/reference/settings.md").read_text().partition("## Site")[0].partition("tokens/contrib")[0]
ACCOUNTS = (ROOT / "docs/reference/accounts.md").read_text()
EVENTS = (ROOT / "docs/reference/api.md").read_text().partition("## Token events")[2].partition("\n## ")[0]
CRYPTOGRAPHY = re.compile(
    r"^\s*(?:import|from) (?:hashlib|hmac|secrets|jwt|cryptography|argon2|django\.core\.signing|django\.utils\.crypto"
    r"|django\.contrib\.auth\.hashers)\b|^from django\.core import .*\bsigning\b",
    flags=re.M,
)


def rows():
    """Return the rows that name tests: ids, requirement, tests."""
    tables = re.findall(r"^\| id \| requirement \| shown by \|\n\|[-|]+\|\n((?:\|.*\n?)+)", PAGE, flags=re.M)
    return [[cell.strip() for cell in line.strip("|\n").split("|")] for table in tables for line in table.splitlines()]


def named(cell):
    return re.findall(r"([\w/]+)::(\w+)", cell)


def shown_by(file):
    """Yield each test and test class of `file`, but none that is skipped or expected to fail."""
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


def test_each_row_names_tests_that_exist_or_says_not_yet():
    for _, _, tests in rows():
        for part in tests.split(";"):
            assert named(part) or "not yet" in part, part
    pairs = {pair for row in rows() for pair in named(row[2])}
    shown = {file: set(shown_by(file)) for file, _ in pairs}
    assert sorted(f"{file}::{name}" for file, name in pairs if name not in shown[file]) == []


def test_the_lifetimes_are_the_settings(settings):
    del settings.TOKENS_REVOCATION_LAG  # which the tests set otherwise
    conf = Conf()  # the site's own has read it before
    said = dict(re.findall(r"^\| `TOKENS_(\w+)` \| (\d+)\b", SETTINGS, flags=re.M))
    assert len(said) == 8
    for name, number in said.items():
        assert int(number) == getattr(conf, name.lower()), name
    assert settings.PASSWORD_RESET_TIMEOUT == 3600 and "A reset link works once, for an hour" in ACCOUNTS
    assert f"The probe of a stale token lives for {probe.LIFETIME} seconds." in PAGE


def test_the_token_events_it_leads_to_are_the_rules():
    rows = re.findall(r"^\| (`.+?) \|", EVENTS, flags=re.M)
    assert set(re.findall(r"`([a-z_]+)`", " ".join(rows))) == {branch.value for branch in TokenEvent}


def test_the_events_of_the_log_are_documented():
    code = "".join(path.read_text() for app in ("accounts", "project") for path in (ROOT / app).rglob("*.py"))
    kinds = re.findall(r'"([a-z_]+)"', "".join(re.findall(r'(?:extra=|about = )\{"kind": (".*?)[,}]', code)))
    assert {"throttled", "csp_violation", "mail_failed", "mail_postponed"} <= set(kinds)
    listed = (ROOT / "docs/howto/observe.md").read_text().partition("| event |")[2].partition("\n\n")[0]
    assert set(kinds) <= set(re.findall(r"`([a-z_]+)`", listed))


def test_the_list_of_cryptography_is_complete():
    section = PAGE.partition("Where cryptography is used")[2].partition("## ")[0]
    used = {
        str(path.relative_to(ROOT))
        for folder in ("accounts", "project", "tokens")
        for path in (ROOT / folder).rglob("*.py")
        if CRYPTOGRAPHY.search(path.read_text())
    }
    assert set(re.findall(r"`(\w+/[\w/]+\.py)`", section)) == used


def test_no_secret_is_compared_by_its_first_difference():
    """But two words that stand in a URL for a secret that is kept elsewhere."""
    found = set()
    for app in ("accounts", "project", "tokens"):
        for path in (ROOT / app).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
                    found.add(ast.unparse(node))
    secret = re.compile(r"(?:^|[._])(secret|token|digest|signature|mac|mark)\b(\(.*\))?$")
    compared = {each for each in found if any(secret.search(side) for side in re.split(" [!=]= ", each))}
    assert compared == {"token == self.reset_url_token", "token == TOKEN_IN_SESSION", "token != TOKEN_IN_SESSION"}


@pytest.mark.django_db
def test_the_permissions_it_leads_to_are_those_of_the_site():
    page = (ROOT / "docs/howto/admin.md").read_text().partition("## Grant permissions")[2]
    named = set(re.findall(r"`(\w+\.\w+)`", page))
    stored = Permission.objects.values_list("content_type__app_label", "codename")
    own = {f"{model._meta.app_label}.{name}" for model in apps.get_models() for name, _ in model._meta.permissions}
    assert own <= named <= {f"{app}.{codename}" for app, codename in stored}


@pytest.mark.django_db
def test_the_headers_it_names_are_sent(client):
    response = client.get("/", secure=True)
    for name in ("Content-Security-Policy", "Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy"):
        assert name in PAGE
        assert name in response.headers
    assert "Strict-Transport-Security" in response.headers
