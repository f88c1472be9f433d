"""Imports point down: models < domain < views, admin, api. `project` wires them, and nobody here imports it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import accounts

ROOT = Path(accounts.__file__).parent
MODELS = {"models"}
EDGES = {"views", "admin", "admin_site", "api", "urls", "middleware", "management"}
WIRING = {"apps"}  # Django looks for these by name, and they import whatever they connect
# Models use them; they use nothing of ours, but each other.
LEAVES = {"accounts.account.user_agents", "accounts.security.normalization", "accounts.security.validators"}


def part(module: str) -> str:
    """Return the file or folder right under accounts/ that a module belongs to."""
    return [*module.split("."), ""][1]


def imported(path: Path) -> Iterator[str]:
    """Yield the dotted name of everything that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports() -> list[tuple[str, str]]:
    """Return (module, what it imports of the site) for all of accounts but its migrations."""
    found = []
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        if "migrations" not in parts:
            module = ".".join(parts).removesuffix(".__init__")
            found += [(module, name) for name in imported(path) if name.startswith(("accounts.", "project"))]
    assert len(found) > 100, "nothing was read"
    return found


IMPORTS = imports()


def test_models_import_models_and_leaves_alone() -> None:
    upward = [
        (module, name)
        for module, name in IMPORTS
        if part(module) in MODELS
        and part(name) not in MODELS
        and not name.startswith(tuple(LEAVES))
        # `from accounts.account import user_agents` names the folder as well as the file
        and not any(leaf.startswith(f"{name}.") for leaf in LEAVES)
    ]
    assert upward == []


@pytest.mark.parametrize("leaf", sorted(LEAVES))
def test_leaves_import_nothing_of_the_site(leaf: str) -> None:
    assert [name for module, name in IMPORTS if module == leaf and not name.startswith(tuple(LEAVES))] == []


def test_domain_imports_no_view_no_admin_and_no_api() -> None:
    upward = [
        (module, name)
        for module, name in IMPORTS
        if part(module) not in EDGES | WIRING and part(name) in EDGES and module != "accounts"
    ]
    assert upward == []


def test_nothing_imports_the_project() -> None:
    assert [(module, name) for module, name in IMPORTS if name.split(".")[0] == "project"] == []
