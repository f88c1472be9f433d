"""What a person finds in a mail."""

import re
from typing import Any


def text_of(message: Any) -> str:
    """The words of a mail: of Django's outbox, or as a mail server got it."""
    return message.body if hasattr(message, "body") else message.get_body(("plain",)).get_content()


def link_in(message: Any, to: str = "") -> str:
    """The path of the one link with `to` in it."""
    [found] = re.findall(rf"https?://[^/\s]+(/\S*{to}\S*)", text_of(message))
    return found


def code_in(message: Any) -> str:
    [found] = re.findall(r"^(\d{6})$", text_of(message), flags=re.M)
    return found
