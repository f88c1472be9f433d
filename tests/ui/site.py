"""The production server with the people of the gallery, and somebody who comes to see them."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import Page, Response

from tests.programs import output_of
from tests.resilience.server import Site
from tests.ui.gallery import Picture

MOMENT = datetime(2025, 11, 21, 14, 30, tzinfo=UTC)  # of every picture

# Of each logo one, and one that has none.
PROVIDERS = [
    {"name": "google", "issuer": "https://accounts.google.com"},
    {"name": "apple", "issuer": "https://appleid.apple.com"},
    {"name": "microsoft", "issuer": "https://login.microsoftonline.com/common/v2.0"},
    {"name": "github", "kind": "github"},
    {"name": "gitlab", "issuer": "https://gitlab.com"},
    {"name": "uni", "label": "Universität Hamburg Rechenzentrum", "issuer": "https://idp.example.org"},
]


class Face(Site):
    """`url` is where it is. What people.py prints is in `jars`, and in `context`, which stand in addresses."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            folder,
            f"sqlite:///{folder}/db.sqlite3",
            DJANGO_SETTINGS_MODULE="tests.ui.settings",
            FACE_SHIFT=str(MOMENT.timestamp() - time.time()),
            CACHE_URL=f"filecache://{folder}/cache",
            EMAIL_URL=f"filemail:///{folder}/mail",
            STATIC_ROOT=f"{folder}/static",
            TOKENS_ACCESS_LIFETIME="3600",
            PROVIDERS=json.dumps([{"client_id": "us", **provider} for provider in PROVIDERS]),
            **{f"PROVIDER_{provider['name'].upper()}_SECRET": "none" for provider in PROVIDERS},
        )
        self.folder = folder
        self.context = self._populate()
        self.jars: dict[str, dict[str, str]] = self.context.pop("jars")
        self.url = f"http://localhost:{self.serve().port}"

    def visit(self, page: Page, picture: Picture) -> int:
        """Goes there as whoever it is, and does what is to be done; the status of the page that is shown in the end."""
        shutil.rmtree(self.folder / "cache", ignore_errors=True)  # where attempts are counted
        self.sign_in(page, picture.who)
        statuses: list[int] = []

        def note(answer: Response) -> None:
            if answer.request.is_navigation_request():
                statuses.append(answer.status)

        page.on("response", note)
        page.goto(self.url + picture.path.format(**self.context))
        if picture.act:
            picture.act(page)
        page.remove_listener("response", note)
        return statuses[-1]

    def sign_in(self, page: Page, who: str) -> None:
        """The browser of `page` has the cookies of that sign-in, and no others."""
        page.context.clear_cookies()
        # Playwright takes a Secure cookie for an https address alone; the browser sends it to localhost by http, too.
        url = self.url.replace("http:", "https:")
        page.context.add_cookies(
            [{"name": name, "value": value, "url": url} for name, value in self.jars.get(who, {}).items()]
        )

    def mails(self) -> list[str]:
        """What was sent, the newest first."""
        files = sorted((self.folder / "mail").glob("*.eml"), key=lambda file: file.stat().st_mtime_ns, reverse=True)
        return [file.read_text() for file in files]

    def _populate(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(output_of("-m", "tests.ui.people", env=self.environment))
        return facts


@contextmanager
def running() -> Iterator[Face]:
    with TemporaryDirectory(prefix="sojourn-face-") as folder, Face(Path(folder)) as face:
        yield face
