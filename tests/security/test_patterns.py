"""No regular expression of ours takes longer than in proportion to what a stranger wrote (DESIGN's invariant 15).

This is the one place that measures time, since `re` counts no steps. It takes CPU time, which other processes don't
change, the best of several, for 1 KB and for 16 KB: a linear pattern takes 16 times as long, a quadratic one 256
times. The bound is four times away from either.
"""

import ast
import pkgutil
import re
from importlib import import_module
from pathlib import Path
from time import process_time

import pytest
from django.urls import URLResolver, get_resolver

import accounts
import project
import tokens

SHORT, LONG, BOUND = 1 << 10, 1 << 14, 64
LEAST = 20e-6  # seconds: anything shorter is too short to compare
ONCE = ("match", "fullmatch")  # at the beginning of the text alone; all other methods look everywhere
UNITS = ["a", "0", "-", "/", ".", ":", "=", "@", "$", "_", " ", "\n", "'", "<", "é", "\u2003", "a.", "a/", "a-", "/0"]


def modules():
    for package in (accounts, project, tokens):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not re.search(r"\.(migrations|testing|asgi|wsgi|server_log|contrib\.allauth)\b", found.name):
                yield import_module(found.name)


def patterns():
    """Yield each pattern and the name of a method that it's used by."""
    for module in modules():
        source = Path(module.__file__).read_text()
        for name, value in vars(module).items():
            for pattern in value if isinstance(value, (tuple, list)) else [value]:
                if isinstance(pattern, re.Pattern):
                    for method in re.findall(rf"\b{name}\.(\w+)\(", source) or ["sub"]:
                        yield pattern, method
        for node in ast.walk(ast.parse(source)):
            match node:
                case ast.Call(func=ast.Attribute(ast.Name("re"), method), args=[ast.Constant(text), *_]):
                    if method != "compile":
                        yield re.compile(text), method
                case ast.Assign([ast.Name("regex")], ast.Constant(text)):
                    yield re.compile(text), "search"
    yield from ((pattern, "search") for pattern in routes(get_resolver()))


def routes(resolver):
    for entry in resolver.url_patterns:
        yield entry.pattern.regex
        if isinstance(entry, URLResolver):
            yield from routes(entry)


def seconds(pattern, method, text, tries=3):
    run = getattr(pattern, method) if method in ONCE else lambda text: pattern.sub("", text)
    taken = []
    for _ in range(tries):
        start = process_time()
        run(text)
        taken.append(process_time() - start)
    return min(taken)


def is_slow(pattern, method, short, long):
    if seconds(pattern, method, long, tries=1) <= BOUND * LEAST:
        return False
    return seconds(pattern, method, long) > BOUND * max(seconds(pattern, method, short), LEAST)


def bad_shapes(pattern, method):
    """Yield what makes `pattern` slow: its own words and all kinds of characters, over and over, with a bad end."""
    if not re.search(r"[+*{]", pattern.pattern):
        return
    for unit in {*UNITS, *re.findall(r"\w+|\W", pattern.pattern)}:
        for begin, end in (("", "\0"), ("/", "!"), ("/", "")):
            if is_slow(pattern, method, *(f"{begin}{(unit * size)[:size]}{end}" for size in (SHORT, LONG))):
                yield f"{begin}{unit}…{end}"


@pytest.mark.parametrize(("pattern", "method"), [("[a-z]+:", "search"), (r"\w*\d*-", "match")])
def test_a_slow_one_is_found(pattern, method):
    assert any(bad_shapes(re.compile(pattern), method))


def test_every_one_is_linear():
    found = set(patterns())
    assert len(found) > 40
    assert {pattern.pattern: shapes for pattern, method in found if (shapes := [*bad_shapes(pattern, method)])} == {}
