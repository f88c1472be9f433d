"""What the OpenAPI document says, as a page shows it: one operation after the other, in plain words."""

import json
import shlex
from collections.abc import Iterator
from functools import reduce
from operator import getitem
from typing import Any, NamedTuple
from urllib.parse import urljoin

Json = dict[str, Any]

VARIABLES = {"accessToken": "$ACCESS", "refreshToken": "$REFRESH"}  # what an example calls the token in a shell
KINDS = {"string": "text", "integer": "whole number", "boolean": "true or false", "array": "list", "null": "null"}


class Member(NamedTuple):
    name: str
    kind: str
    description: str


class Content:
    """A body that is sent or answered: its schema and an example, of whatever media type."""

    def __init__(self, content: Json) -> None:
        (self.media_type, described), *_ = content.items()
        self.example: Json = described["example"]
        self.members = list(_members(described["schema"]))

    @property
    def text(self) -> str:
        return json.dumps(self.example, indent=2, ensure_ascii=False)


class Answer:
    """`name` is that of the component, if the answer is one; others share it."""

    def __init__(self, status: str, described: Json) -> None:
        self.status = status
        self.name: str = described.get("x-name", "")
        self.description: str = described["description"]
        self.headers: Json = described.get("headers", {})
        self.content = Content(described["content"]) if "content" in described else None


class Operation:
    """One method at one address of `site`."""

    def __init__(self, site: str, path: str, method: str, described: Json) -> None:
        self.site, self.path, self.method = site, path, method.upper()
        self.name: str = described["operationId"]
        self.section: str = described["tags"][0]
        self.summary: str = described["summary"]
        self.description: str = described.get("description", "")
        self.tokens = [name for choice in described["security"] for name in choice]
        self.sends = Content(described["requestBody"]["content"]) if "requestBody" in described else None
        answers = [Answer(status, answer) for status, answer in described["responses"].items()]
        self.answers = [answer for answer in answers if answer.status < "400"]
        self.errors = [answer for answer in answers if answer.status >= "400"]
        self._examples = {parameter["name"]: parameter["example"] for parameter in described.get("parameters", ())}

    @property
    def curl(self) -> str:
        """The call as a command; what it needs stands in variables of the shell."""
        verb = [] if self.method == "GET" or self.sends else ["-X", self.method]
        lines = [shlex.join(["curl", *verb, urljoin(self.site, self.path.format(**self._examples))])]
        if self.tokens:
            lines.append(f'-H "Authorization: Bearer {VARIABLES[self.tokens[0]]}"')
        if self.sends:
            lines += ["-H 'Content-Type: application/json'", "-d " + shlex.quote(json.dumps(self.sends.example))]
        return " \\\n  ".join(lines)


def operations(document: Json, site: str) -> list[Operation]:
    """All that can be done at `site`, the address of its front page, in the order of the document."""
    described = _resolved(document, document)
    base, security = described["servers"][0]["url"], described["security"]
    return [
        Operation(site, base + path, method, {"security": security, **operation})
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]


def errors(found: list[Operation]) -> list[Answer]:
    """The different errors of these operations, the lowest status first."""
    different = {answer.name: answer for operation in found for answer in operation.errors}
    return sorted(different.values(), key=lambda answer: answer.status)


def _resolved(value: Any, document: Json) -> Any:
    """`value` with what it refers to in the place of the references; `x-name` is what that is called."""
    if isinstance(value, list):
        return [_resolved(item, document) for item in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        *_, name = keys = value["$ref"].removeprefix("#/").split("/")
        value = {"x-name": name, **reduce(getitem, keys, document), **value}
    return {key: _resolved(item, document) for key, item in value.items() if key != "$ref"}


def _members(schema: Json, within: str = "") -> Iterator[Member]:
    for name, member in schema.get("properties", {}).items():
        yield Member(within + name, _kind(member), member.get("description", ""))
        yield from _members(member.get("items", {}), f"{within}{name}[].")


def _kind(schema: Json) -> str:
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return ", ".join(map(json.dumps, schema["enum"]))
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " or ".join(schema.get("format") or KINDS[kind] for kind in types)
