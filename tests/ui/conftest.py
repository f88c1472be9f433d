"""One site and one browser for the whole gallery; each page is visited once, whoever asks first."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from tests.chromium import closing
from tests.ui.gallery import NAMED
from tests.ui.looks import Eyes, Seen
from tests.ui.site import Face, running


@pytest.fixture(scope="session")
def face() -> Iterator[Face]:
    with running() as face:
        yield face


@pytest.fixture(scope="session")
def seen(face: Face, browser: Any) -> Iterator[Callable[[str], Seen]]:
    """`seen(name)`: what a visit to that page of the gallery has brought to light."""
    page = browser.new_page(timezone_id="Asia/Tokyo")  # so scripts rewrite every time, and nothing may move
    eyes = Eyes(page)
    with closing(page):
        yield cache(lambda name: eyes.look(face, NAMED[name]))
