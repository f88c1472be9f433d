"""`python -m tests.ui.screenshots [--out DIR] [--only NAME]`: every page in light, in dark and on a phone.

The same pages give the same pictures, whenever they are taken: see tests/ui/settings.py.
"""

import argparse
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from tests.chromium import executable
from tests.ui.gallery import NAMED, Picture
from tests.ui.looks import PHONE
from tests.ui.site import MOMENT, Face, running

DESKTOP = {"width": 1000, "height": 750}
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": DESKTOP, "color_scheme": "light"},
    "dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "phone": {"viewport": PHONE, "color_scheme": "light", "device_scale_factor": 2},
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.ui.screenshots", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("screenshots"), help="where to (screenshots)")
    parser.add_argument(
        "--only", choices=NAMED, metavar="NAME", action="append", help="this page; several times: these"
    )
    options = parser.parse_args()
    pictures = [NAMED[name] for name in options.only or NAMED]
    with running() as face, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(playwright.chromium))
        take(browser, face, pictures, options.out)
        browser.close()


def take(browser: Browser, face: Face, pictures: Iterable[Picture], folder: Path) -> None:
    """Writes `folder`/NAME-LOOK.png for each of the `pictures` in each look. Where something is done comes last:
    lists show no trace of it."""
    folder.mkdir(parents=True, exist_ok=True)
    for picture, look in itertools.product(sorted(pictures, key=lambda picture: picture.act is not None), LOOKS):
        page = browser.new_page(reduced_motion="reduce", **LOOKS[look])
        page.clock.set_fixed_time(MOMENT)
        face.visit(page, picture)
        page.screenshot(path=folder / f"{picture.name}-{look}.png", full_page=True, animations="disabled")
        page.close()


if __name__ == "__main__":
    main()
