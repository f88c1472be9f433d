"""The form in the middle of a page, as a browser would send it."""

from html.parser import HTMLParser
from typing import Any

from django.http import QueryDict


def main_form(response: Any) -> QueryDict:
    """What the first form of <main> holds before anything is typed."""
    reader = _Reader()
    reader.feed(response.content.decode())
    fields = QueryDict(mutable=True)
    for name, value in reader.fields:
        fields.appendlist(name, value)
    return fields


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.fields: list[tuple[str, str]] = []
        self.place = ""  # "main", then "form", then "after"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "main" or (tag == "form" and self.place == "main"):
            self.place = tag
        elif tag == "input" and self.place == "form" and said.get("name"):
            self.fields.append((said["name"], said.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self.place == "form":
            self.place = "after"
