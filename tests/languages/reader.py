"""What people see or hear of a page, but for the parts that say they are in another language."""

import re
from html.parser import HTMLParser

EMPTY = frozenset({"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "wbr"})  # they have no end
SPOKEN = ("alt", "aria-description", "aria-label", "placeholder", "title")

# Words of English, and of no other language that is spoken here; no sentence of ours does without them.
ENGLISH = re.compile(r"\b(the|and|you|your|with|this|that|have|from|please|sign|password|session)\b", re.I)


class Reader(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[tuple[str, bool]] = [("", False)]  # each element, and whether it is passed over
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        passed_over = self.open[-1][1] or tag in ("script", "style", "code") or (tag != "html" and "lang" in found)
        if not passed_over:
            self.words += [value or "" for name, value in attributes if name in SPOKEN or name.startswith("data-")]
        if tag not in EMPTY:
            self.open.append((tag, passed_over))

    def handle_endtag(self, tag: str) -> None:
        while self.open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not self.open[-1][1]:
            self.words.append(data)


def english(html: str) -> list[str]:
    """What is said in English."""
    return [" ".join(words.split()) for words in Reader(html).words if ENGLISH.search(words)]
