"""The page that asks "Confirm it's you", answered as a browser would."""

from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

from django.http import QueryDict
from django.utils import timezone

from tests.conftest import PASSWORD
from tokens.models import RefreshToken
from tokens.session import REAUTHENTICATION_TIMEOUT

QUESTION = "Confirm it's you"


def expire_reauthentication(ago: timedelta = REAUTHENTICATION_TIMEOUT + timedelta(seconds=1)) -> None:
    """Everybody signed in, or gave their password, no later than that."""
    RefreshToken.objects.update(authenticated_at=timezone.now() - ago)


def answer(client: Any, page: Any, password: str = PASSWORD) -> Any:
    """Type the password into the page, and send it."""
    assert QUESTION in page.content.decode()
    form = main_form(page)
    form["proof-password"] = password
    url = page.wsgi_request.get_full_path()
    return client.post(url, form.urlencode(), content_type="application/x-www-form-urlencoded")


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
