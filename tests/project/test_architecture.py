"""Check that the picture in docs/explanation/architecture.md names every module, and that imports point down."""

import ast
import re
from pathlib import Path

import pytest
from django.conf import settings

pytestmark = pytest.mark.once

ROOT = Path(settings.BASE_DIR)
DRAWING = (ROOT / "docs/explanation/architecture.md").read_text().partition("```mermaid\n")[2].partition("\n```")[0]
NOT_DRAWN = {"__init__", "migrations", "locale"}
# These import nothing else of the project, so models may use them.
LEAVES = ("accounts.account.user_agents", "accounts.security.normalization", "accounts.security.validators")


def storeys(app):
    """Return the storeys that are drawn for `app`, from the top: a set of modules or folders each."""
    drawn = DRAWING.partition(f"subgraph {app} ")[2].partition("\n    end")[0]
    boxes = dict(re.findall(r'^ +(\w+)\["<b>\w+</b><br>(.+)"\]$', drawn, flags=re.M))
    [order] = re.findall(r"^ +(\w+(?: --> \w+)+)$", drawn, flags=re.M)
    assert order.split(" --> ") == list(boxes)
    return [set(names.split(" · ")) for names in boxes.values()]


def modules(app, folders_only=False):
    """Return the modules and folders at the top of `app`."""
    found = {path.stem for path in (ROOT / app).glob("*.py") if not folders_only}
    found |= {path.parent.name for path in (ROOT / app).glob("*/__init__.py")}
    return found - NOT_DRAWN


def imported(app):
    """Yield a pair for each import within `app`: the module that imports, and the one that is imported."""
    for path in sorted((ROOT / app).rglob("*.py")):
        package = path.parent.relative_to(ROOT).parts
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
                whole = ".".join(filter(None, (base, node.module)))
                names = [f"{whole}.{alias.name}" for alias in node.names]
            else:
                continue
            for name in names:
                if name.startswith(f"{app}.") and not name.startswith(LEAVES):
                    yield room(path.relative_to(ROOT).with_suffix("").parts), room(tuple(name.split(".")))


def room(parts):
    """Return the module or folder of the picture; `core` is drawn module by module."""
    return parts[2] if parts[1:2] == ("core",) and len(parts) > 2 else parts[1]


def test_every_module_of_tokens_is_drawn_once_and_no_other():
    *upper, core = storeys("tokens")
    drawn = [name for storey in upper for name in storey]
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == modules("tokens") - {"core"}
    assert core == modules("tokens/core")


def test_every_folder_of_accounts_is_drawn_once_and_no_other():
    drawn = [name for storey in storeys("accounts") for name in storey]
    assert sorted(drawn) == sorted(modules("accounts", folders_only=True))


@pytest.mark.parametrize("app", ["tokens", "accounts"])
def test_imports_point_down(app):
    height = {name: -place for place, storey in enumerate(storeys(app)) for name in storey}
    pairs = {(one, other) for one, other in imported(app) if one in height and other in height}
    assert len(pairs) > 10
    assert {(one, other) for one, other in pairs if height[other] > height[one]} == set()


def test_tokens_knows_no_site_and_its_core_no_django():
    for path in (ROOT / "tokens").rglob("*.py"):
        tops = set(re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(), flags=re.M))
        assert not tops & {"accounts", "project", "lab", "tests"}, path
        assert path.parent.name != "core" or "django" not in tops, path
