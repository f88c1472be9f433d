"""Check that the pages for operators list every command, and name only commands and options that exist."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

pytestmark = pytest.mark.once

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
PAGE = (DOCS / "reference/commands.md").read_text()
OURS = {name: app for name, app in get_commands().items() if app in ("accounts", "tokens")}
CHANGING = {
    "afterrestore",
    "cleartokens",
    "tidyaccounts",
    "endsessions",
    "sendmails",
}  # and tokenkeys, whose verbs take it


def options(name):
    parser = load_command_class(OURS[name], name).create_parser("manage.py", name)
    return {option for action in parser._actions for option in action.option_strings}


def test_every_command_has_its_row_and_no_other():
    rows = re.findall(r"^\| `(\w+)", PAGE, flags=re.M)
    assert sorted(rows) == sorted(OURS)


def test_every_page_names_commands_that_exist():
    named = {
        name for page in DOCS.rglob("*.md") for name in re.findall(r"(?:manage\.py|ops/manage) (\w+)", page.read_text())
    }
    assert named - get_commands().keys() == {"demo"}  # which manage.py starts by itself


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_option_in_its_row_is_one_and_what_changes_something_can_be_tried(name):
    [row] = re.findall(rf"^\| `{name}.*$", PAGE, flags=re.M)
    assert set(re.findall(r"--[a-z-]+", row)) <= options(name)
    assert name not in CHANGING or "--dry-run" in options(name)
