"""The browser that tests drive: Playwright's own, or else the system's Chromium."""

import shutil
from pathlib import Path

from playwright.sync_api import BrowserType


def executable(browser_type: BrowserType) -> str | None:
    """The path of it, or None where there is none."""
    if Path(browser_type.executable_path).exists():
        return browser_type.executable_path
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
