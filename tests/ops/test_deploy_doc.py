"""docs/deploy.md names commands, options and files that are there, and every command that operators have."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs/deploy.md").read_text()
OURS = {name: app for name, app in get_commands().items() if app in ("accounts", "tokens")}
CHANGING = {"cleartokens", "tidyaccounts", "endsessions", "sendmails"}  # and tokenkeys, whose verbs take it


def options(name):
    parser = load_command_class(OURS[name], name).create_parser("manage.py", name)
    return {option for action in parser._actions for option in action.option_strings}


def test_every_command_has_its_row_and_no_other():
    rows = re.findall(r"^\| `(\w+)", PAGE.partition("## Commands")[2], flags=re.M)
    assert sorted(rows) == sorted(OURS)
    for name in re.findall(r"manage\.py (\w+)", PAGE):
        assert name in get_commands()


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_option_in_its_row_is_one_and_what_changes_something_can_be_tried(name):
    [row] = re.findall(rf"^\| `{name}.*$", PAGE, flags=re.M)
    assert set(re.findall(r"--[a-z-]+", row)) <= options(name)
    assert name not in CHANGING or "--dry-run" in options(name)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#]+)", PAGE))))
def test_what_it_points_to_is_there(target):
    assert (ROOT / "docs" / target).exists()
