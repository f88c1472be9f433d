"""One visit to a page of the gallery, on which everything is measured that needs no axe."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Page

from tests.face.gallery import Picture
from tests.face.site import Face

PROBE = Path(__file__).with_name("look.js").read_text()
DESKTOP = {"width": 1280, "height": 800}
ZOOMED = {"width": 640, "height": 400}  # the desktop at 200 %
PHONE = {"width": 390, "height": 844}
SMALLEST = {"width": 320, "height": 640}  # WCAG 1.4.10


@dataclass
class Seen:
    """What a visit has brought to light. Lists hold complaints."""

    status: int
    console: list[str]
    hosts: set[str]
    found: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.found[name]


def look(context: BrowserContext, face: Face, picture: Picture) -> Seen:
    page = context.new_page()
    page.set_viewport_size(DESKTOP)
    console: list[str] = []
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.on("console", lambda message: _complains(message, page) and console.append(message.text))
    page.on("pageerror", lambda error: console.append(str(error)))
    seen = Seen(face.visit(page, picture), console, hosts)

    def measure(*names: str, under: str = "") -> None:
        for name in names:
            seen.found[f"{name} {under}".strip()] = page.evaluate(f"() => {{ {PROBE}; return {name}() }}")

    measure("focused", "shifts", "weight", "blocking", "unseenFocus")
    if not picture.of_admin:
        measure("fields", "backwards", "tooSmall")
        for size in (ZOOMED, SMALLEST):
            page.set_viewport_size(size)
            measure("tooWide", under=f"at {size['width']}")
        page.set_viewport_size(PHONE)
        measure("backwards", "tooSmall", under="on a phone")
        page.emulate_media(forced_colors="active")
        measure("vanished", "unseenFocus", under="in forced colors")
        page.emulate_media(forced_colors="none", reduced_motion="reduce")
        measure("moving")
        page.set_viewport_size(DESKTOP)
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        measure("tooWide", under="in large letters")
    page.close()
    return seen


def _complains(message: ConsoleMessage, page: Page) -> bool:
    """Whether it is a complaint; that the page itself is a 404, say, is none."""
    own = message.location["url"] == page.url and "Failed to load resource" in message.text
    return message.type in ("error", "warning") and not own
