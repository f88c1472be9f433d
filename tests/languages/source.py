"""What the site says: every text of the source that is marked for translation.

Templates are read by Django's own parser and Python by its syntax tree, so no gettext has to be installed.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.template import engines
from django.templatetags.i18n import BlockTranslateNode, TranslateNode

ROOT = Path(settings.BASE_DIR)
FOLDERS = ("accounts", "project", "templates", "tokens")

# Which arguments of Django's functions are what; "gettext_lazy" is as "gettext".
ARGUMENTS = {
    "gettext": ("msgid",),
    "gettext_noop": ("msgid",),
    "ngettext": ("msgid", "plural"),
    "pgettext": ("context", "msgid"),
    "npgettext": ("context", "msgid", "plural"),
}


class Text(NamedTuple):
    msgid: str
    plural: str = ""
    context: str = ""


def texts() -> dict[str, dict[Text, list[str]]]:
    """What each catalogue has to translate: the folder in which its `locale` is, to each text and where it stands.

    `tokens` brings its own; what it says, too, the site does not translate again.
    """
    found = _texts()
    tokens = {text: own for text, places in found.items() if (own := [at for at in places if at.startswith("tokens/")])}
    return {"tokens": tokens, ".": {text: places for text, places in found.items() if text not in tokens}}


def _texts() -> dict[Text, list[str]]:
    """Each text with the files in which it stands. Raises ValueError where a text cannot be told without running."""
    found: dict[Text, list[str]] = {}
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.*")):
        read = {".py": of_python, ".html": of_template, ".txt": of_template, ".svg": of_template}.get(path.suffix)
        place = path.relative_to(ROOT).as_posix()
        for text in read(path) if read else ():
            if place not in found.setdefault(text, []):
                found[text].append(place)
    return found


def of_python(path: Path) -> Iterator[Text]:
    tree = ast.parse(path.read_text())
    names = {
        alias.asname or alias.name: ARGUMENTS[alias.name.removesuffix("_lazy")]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "django.utils.translation"
        for alias in node.names
        if alias.name.removesuffix("_lazy") in ARGUMENTS
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.removesuffix("_lazy") in ARGUMENTS:
            raise ValueError(f"{path}:{node.lineno} translates by a function that it does not import by its name.")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            given = dict(zip(names[node.func.id], node.args, strict=False))
            if not all(isinstance(value, ast.Constant) for value in given.values()):
                raise ValueError(f"{path}:{node.lineno} translates what is no literal.")
            yield Text(**{name: value.value for name, value in given.items()})


def of_template(path: Path) -> Iterator[Text]:
    code = path.read_text()
    if re.search(r"""[\s|:(=]_\(["']""", code):
        raise ValueError(f"{path} has _(…) where {{% translate %}} belongs.")
    nodes = engines["django"].from_string(code).template.nodelist
    for node in nodes.get_nodes_by_type(TranslateNode):
        literal = node.filter_expression.var.literal
        if literal is None:
            raise ValueError(f"{path} translates what is no literal.")
        yield Text(literal.replace("%", "%%"), context=_context(node))
    for node in nodes.get_nodes_by_type(BlockTranslateNode):
        plural = node.render_token_list(node.plural)[0] if node.plural else ""
        yield Text(node.render_token_list(node.singular)[0], plural, _context(node))


def _context(node: Any) -> str:
    return node.message_context.resolve({}) if node.message_context else ""
