"""The storeys of docs and design: imports point down, those inside functions too."""

import ast
from pathlib import Path

from django.conf import settings

import tokens

FOLDER = Path(tokens.__file__).parent
SITE = {"accounts", "project", "tests"}

CORE = {"core"}  # knows no Django at all
SETTINGS = {"conf", "signals"}  # serve all
STORE = {"client", "cookies", "events", "models", "password_upgrades", "revocation", "users", "verification"}
SESSION = {"auth", "authentication", "bearer", "binding", "issuing", "probe", "session"}
EDGES = {
    *("admin", "apps", "checks", "contrib", "decorators", "management", "middleware", "migrations"),
    *("project_checks", "pytest_fixtures"),
    *("receivers", "testing", "views"),
}
STOREYS = [CORE, SETTINGS, STORE, SESSION, EDGES]  # from below
HEIGHT = {room: height for height, storey in enumerate(STOREYS) for room in storey}


def files(folder=FOLDER):
    return sorted(path for path in folder.rglob("*.py") if path.name != "__init__.py")


def room_of(path):
    """The module of `tokens`, or the folder, that `path` belongs to."""
    return path.relative_to(FOLDER).with_suffix("").parts[0]


def imports(path):
    """The full names of all that the file imports, wherever in it."""
    package = path.parent.relative_to(FOLDER.parent).parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            whole = ".".join(filter(None, (base, node.module)))
            yield from (f"{whole}.{alias.name}" for alias in node.names)


def rooms(path):
    """The modules and folders of `tokens` that the file imports, other than its own."""
    parts = (name.split(".") for name in imports(path))
    return {name[1] for name in parts if name[0] == "tokens" and len(name) > 1} - {room_of(path)}


def tops(path):
    return {name.split(".")[0] for name in imports(path)}


def test_every_module_has_its_storey():
    assert {room_of(path) for path in files()} == HEIGHT.keys()
    assert len(list(FOLDER.glob("*.py"))) <= 26  # with __init__.py


def test_imports_point_down_or_stay_on_the_storey():
    wrong = {(str(path), room) for path in files() for room in rooms(path) if HEIGHT[room] > HEIGHT[room_of(path)]}
    assert wrong == set()


def test_no_storey_has_a_circle():
    needs = {room: set() for room in HEIGHT}
    for path in files():
        needs[room_of(path)] |= {room for room in rooms(path) if HEIGHT[room] == HEIGHT[room_of(path)]}
    while free := {room for room, needed in needs.items() if not needed}:
        needs = {room: needed - free for room, needed in needs.items() if room not in free}
    assert needs == {}


def test_the_core_knows_no_django():
    assert [path.name for path in files(FOLDER / "core") if "django" in tops(path)] == []


def test_tokens_knows_no_site_and_needs_nothing_of_contrib():
    """Or whoever takes `tokens` would need that framework."""
    for path in files():
        assert tops(path) & SITE == set(), path
        if room_of(path) != "contrib":
            assert "contrib" not in rooms(path) and "rest_framework" not in tops(path), path


def test_what_shows_tokens_unverified_is_for_the_command_line_alone():
    inspecting = [path.name for path in files() if "tokens.management.inspection.inspect" in imports(path)]
    assert inspecting == ["inspecttoken.py"]


def test_the_site_uses_what_is_meant_for_it():
    """`session` for the type of `request.tokens`, `client` for the IP address, `users` for the lock."""
    meant = {"admin", "auth", "bearer", "client", "conf", "core"}
    meant |= {"decorators", "events", "management", "middleware", "models", "password_upgrades", "session"}
    meant |= {"signals", "users"}
    for path in (FOLDER.parent / "accounts").rglob("*.py"):
        used = {name.split(".")[1] for name in imports_of_site(path)}
        assert used <= meant, path
    for path in (FOLDER.parent / "project").rglob("*.py"):
        used = {name.split(".")[1] for name in imports_of_site(path)}
        assert used <= {"conf", "contrib", "decorators", "views"}, path
    assert tops(FOLDER.parent / "project" / "settings.py") & {"accounts", "tokens"} == set()
    assert {"tokens", "accounts"} <= set(settings.INSTALLED_APPS)


def imports_of_site(path):
    return [name for name in imports(path) if name.startswith("tokens.")]
