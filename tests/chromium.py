"""The browser that tests drive: Playwright's own, or else the system's Chromium."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import BrowserContext, BrowserType, Page


def executable(browser_type: BrowserType) -> str | None:
    """The path of it, or None where there is none."""
    if Path(browser_type.executable_path).exists():
        return browser_type.executable_path
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def closing(opened: BrowserContext | Page) -> Iterator[None]:
    """Close what outlives a test beside Playwright's event loop, which tests without a browser don't see."""
    loop = asyncio._get_running_loop()
    yield
    hidden = asyncio._get_running_loop()
    asyncio._set_running_loop(loop)
    opened.close()
    asyncio._set_running_loop(hidden)
