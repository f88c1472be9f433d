"""Check that the documentation links to what exists, is short, and lists every setting and every signal."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.conf import settings
from django.dispatch import Signal

from tokens import conf, signals

pytestmark = pytest.mark.once

ROOT = Path(settings.BASE_DIR)
PAGES = sorted([ROOT / name for name in ("README.md", "CHANGELOG.md", "SECURITY.md", "CONTRIBUTING.md")])
PAGES += sorted((ROOT / "docs").rglob("*.md"))


def anchors(file):
    """Return the anchors of the headings of `file`, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", file.read_text(), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(file):
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", file.read_text()):
        path, _, anchor = target.partition("#")
        there = (file.parent / path).resolve() if path else file
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_page_has_both_sides_of_a_merge(file):
    assert not re.search(r"^(<{7}|>{7}) ", file.read_text(), flags=re.M)


def test_every_file_and_module_that_is_named_exists():
    text = "\n".join(page.read_text() for page in PAGES)
    folders = "|".join(path.name for path in ROOT.iterdir() if path.is_dir() and path.name.isidentifier())
    files = set(re.findall(rf"`((?:{folders})/[\w./-]+)`", text))
    assert len(files) > 30
    assert [file for file in files if not (ROOT / file).exists()] == []
    modules = set(re.findall(r"python -m ((?:lab|tests)[\w.]+)", text))
    assert len(modules) > 5
    assert [name for name in modules if find_spec(name) is None] == []


def test_every_page_is_in_the_index():
    index = (ROOT / "docs/index.md").read_text()
    listed = {(ROOT / "docs" / path).resolve() for path in re.findall(r"\]\(([\w/-]+\.md)\)", index)}
    assert listed == set((ROOT / "docs").rglob("*.md")) - {ROOT / "docs/index.md"}


def test_the_readme_takes_three_minutes():
    assert len((ROOT / "README.md").read_text().split()) < 700


def test_every_setting_of_the_tokens_is_listed_once():
    page = (ROOT / "docs/reference/settings.md").read_text()
    listed = re.findall(r"^\| `TOKENS_(\w+)`", page, flags=re.M)
    assert len(listed) == len(set(listed))
    made = {"key_ring", "cookie_names", "cookie_start", "user_model"}  # of other settings
    properties = {name.upper() for name in vars(conf.Conf) if not name.startswith("_") and name not in made}
    assert set(listed) >= properties
    main = page.partition("\n## Tokens\n")[2].partition("tokens/contrib")[0]
    assert len(re.findall(r"^\| `TOKENS_", main, flags=re.M)) <= 16


def test_every_variable_of_the_site_is_listed():
    variables = set(re.findall(r"^(?:# )?([A-Z_]+)=", (ROOT / ".env.example").read_text(), flags=re.M))
    assert len(variables) > 40
    listed = set(re.findall(r"`([A-Z_]+)`", (ROOT / "docs/reference/settings.md").read_text()))
    assert variables - listed == {"POSTGRES_PASSWORD", "PROVIDER_GOOGLE_SECRET"}  # for Compose alone; an example


def test_every_signal_is_listed_and_no_other():
    section = (ROOT / "docs/reference/api.md").read_text().partition("\n## Signals\n")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| `(\w+)` \|", section, flags=re.M)
    assert sorted(listed) == sorted(name for name, value in vars(signals).items() if isinstance(value, Signal))
