"""One site and one browser for the whole gallery; each page is visited once, whoever asks first."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from tests.face.gallery import NAMED
from tests.face.looks import Seen, look
from tests.face.site import Face, running


@pytest.fixture(scope="session")
def face() -> Iterator[Face]:
    with running() as face:
        yield face


@pytest.fixture(scope="session")
def seen(face: Face, browser: Any) -> Iterator[Callable[[str], Seen]]:
    """`seen(name)`: what a visit to that page of the gallery has brought to light."""
    context = browser.new_context()
    yield cache(lambda name: look(context, face, NAMED[name]))
    context.close()
