"""One visit to each page of the gallery, on which everything is measured that needs no axe."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Page

from tests.ui.gallery import Picture
from tests.ui.site import Face

PROBE = Path(__file__).with_name("look.js").read_text()
DESKTOP = {"width": 1280, "height": 800}
ZOOMED = {"width": 640, "height": 400}  # the desktop at 200 %
PHONE = {"width": 390, "height": 844}
FIGURES = ("focused", "weight", "blocking", "fields")  # what look.js tells that is no complaint
SMALLEST = {"width": 320, "height": 640}  # WCAG 1.4.10


@dataclass
class Seen:
    """What a visit has brought to light. Lists hold complaints."""

    status: int = 0
    console: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    found: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.found[name]

    @property
    def complaints(self) -> dict[str, list[str]]:
        return {"console": self.console} | {name: found for name, found in self.found.items() if name not in FIGURES}


def measured(page: Page, *names: str) -> dict[str, Any]:
    """What these functions of look.js say of the page."""
    measures = ", ".join(f"{name}: await {name}()" for name in names)
    found: dict[str, Any] = page.evaluate(f"async () => {{ {PROBE}; return {{{measures}}} }}")
    return found


class Eyes:
    """A tab that looks at one page after the other."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.seen = Seen()
        page.on("request", lambda request: self.seen.hosts.add(urlsplit(request.url).netloc))
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self.seen.console.append(str(error)))

    def look(self, face: Face, picture: Picture) -> Seen:
        page, self.seen = self.page, Seen()
        page.set_viewport_size(DESKTOP)
        page.emulate_media(reduced_motion="no-preference")
        self.seen.status = face.visit(page, picture)

        self._measure("focused", "shifts")
        page.emulate_media(reduced_motion="reduce")  # or colours would be measured on their way
        self._measure("moving", "unseenFocus", "backwards", "tooSmall", "weight", "blocking", "fields")
        for size in (DESKTOP, ZOOMED, SMALLEST):
            page.set_viewport_size(size)
            self._measure("tooWide", "colliding", under=f"at {size['width']}")
        page.set_viewport_size(PHONE)
        self._measure("backwards", "tooSmall", under="on a phone")
        page.emulate_media(forced_colors="active")
        self._measure("vanished", "unseenFocus", under="in forced colors")
        page.emulate_media(forced_colors="none")
        page.set_viewport_size(DESKTOP)
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        self._measure("tooWide", "colliding", under="in large letters")
        if picture.name != "styleguide":  # whose buttons are there to be seen
            self._look_without_scripts(face, picture)
        return self.seen

    def _look_without_scripts(self, face: Face, picture: Picture) -> None:
        """Everything that is done on the page is done again, with the same outcome."""
        switch = self.page.context.new_cdp_session(self.page)
        switch.send("Emulation.setScriptExecutionDisabled", {"value": True})
        status = face.visit(self.page, picture)
        self._measure("dead", under="without scripts")
        self.seen.found["status without scripts"] = [str(status)] if status != self.seen.status else []
        switch.send("Emulation.setScriptExecutionDisabled", {"value": False})
        switch.detach()

    def _measure(self, *names: str, under: str = "") -> None:
        found = measured(self.page, *names)
        self.seen.found.update({f"{name} {under}".strip(): found[name] for name in names})

    def _listen(self, message: ConsoleMessage) -> None:
        """Complaints only; that the page itself is a 404, say, is none."""
        own = message.location["url"] == self.page.url and "Failed to load resource" in message.text
        if message.type in ("error", "warning") and not own:
            self.seen.console.append(message.text)
