"""Imports point down only, those inside functions too."""

import ast
from pathlib import Path

import pytest
from django.conf import settings

import tokens

FOLDER = Path(tokens.__file__).parent
SITE = {"accounts", "project", "tests"}

# From the top. Whoever stands here imports from below alone, and nobody of their own line.
LAYERS = [
    {"apps"},
    {"checks", "contrib", "receivers", "testing"},  # checks look for the middleware, and testing passes through it
    {"admin", "bearer", "management", "middleware", "migrations", "views"},
    {"adoption", "auth", "findings", "pruning"},
    {"presented"},
    {"verdict"},
    {"signin"},
    {"issue"},
    {"models", "probe", "verified"},
    {"branches", "cookies", "decorators", "joined", "origin", "programs", "revocations", "users"},
    {"shared_revocation"},
    {"revocation"},
    {"conf"},
    {"status_list"},
    {"jwts", "keyfile"},
    {"jwks"},
    {"keys", "rotation"},
    {"exceptions", "progress", "signals"},
]
HEIGHT = {module: -place for place, layer in enumerate(LAYERS) for module in layer}
FILES = sorted(path for path in FOLDER.rglob("*.py") if path.name != "__init__.py")


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
    """The modules of `tokens` that the file imports, or imports from."""
    parts = (name.split(".") for name in imports(path))
    return {name[1] for name in parts if name[0] == "tokens" and len(name) > 1}


def tops(path):
    return {name.split(".")[0] for name in imports(path)}


def short(path):
    return str(path.relative_to(FOLDER.parent))


def test_every_module_has_its_layer():
    assert {room_of(path) for path in FILES} == HEIGHT.keys()


@pytest.mark.parametrize("path", FILES, ids=short)
def test_imports_point_down(path):
    room = room_of(path)
    assert {other for other in rooms(path) if HEIGHT[other] >= HEIGHT[room] and other != room} == set()


@pytest.mark.parametrize("path", FILES, ids=short)
def test_tokens_knows_no_site(path):
    assert tops(path) & SITE == set()


@pytest.mark.parametrize("room", ["exceptions", "jwks", "jwts", "keyfile", "keys", "rotation", "status_list"])
def test_what_is_pure_knows_no_django(room):
    assert "django" not in tops(FOLDER / f"{room}.py")


@pytest.mark.parametrize("path", FILES, ids=short)
def test_what_serves_another_framework_is_needed_by_nobody(path):
    """Or whoever takes `tokens` would need that framework."""
    if room_of(path) != "contrib":
        assert "contrib" not in rooms(path) and "rest_framework" not in tops(path)


def test_what_shows_tokens_unverified_is_for_the_command_line_alone():
    assert [path.name for path in FILES if "findings" in rooms(path)] == ["inspecttoken.py"]


@pytest.mark.parametrize("path", sorted((FOLDER.parent / "accounts").rglob("*.py")), ids=short)
def test_accounts_uses_what_is_meant_for_a_site(path):
    """`signin` for the type of `request.tokens`, `origin` for where a request comes from, `bearer` for the API, `admin`
    for the list of sessions that the site's own is made of, `programs` for its filter, `progress` for
    commands."""
    meant = {"admin", "auth", "bearer", "decorators", "exceptions", "models", "origin", "signals", "signin"}
    meant |= {"programs", "progress"}
    assert rooms(path) <= meant


@pytest.mark.parametrize("path", sorted((FOLDER.parent / "project").rglob("*.py")), ids=short)
def test_project_wires_and_no_more(path):
    assert rooms(path) <= {"conf", "decorators", "views"}
    if path.name == "settings.py":
        assert tops(path) & {"accounts", "tokens"} == set()


def test_the_site_names_its_apps_by_string():
    assert {"tokens", "accounts"} <= set(settings.INSTALLED_APPS)


class TestTheWalkItself:
    """A walk that sees nothing would find everything in order."""

    def test_it_sees_relative_absolute_and_late_imports(self, tmp_path, monkeypatch):
        monkeypatch.setattr(f"{__name__}.FOLDER", tmp_path / "tokens")
        path = tmp_path / "tokens" / "jwts.py"
        path.parent.mkdir()
        path.write_text(
            "from . import models\nfrom .conf import conf\nimport tokens.auth\nfrom tokens import views\n"
            "import django.db as db\ndef late():\n    from tokens.middleware import TokenMiddleware\n"
        )
        assert rooms(path) == {"models", "conf", "auth", "views", "middleware"}
        assert "django" in tops(path)

    def test_it_sees_how_the_modules_hang_together(self):
        assert rooms(FOLDER / "presented.py") >= {"issue", "jwts", "rotation", "models", "revocations", "verified"}
        assert rooms(FOLDER / "management" / "commands" / "cleartokens.py") == {"models", "progress", "pruning"}
