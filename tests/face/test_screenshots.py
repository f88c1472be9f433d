from struct import unpack

import pytest

from tests.face.gallery import NAMED
from tests.face.screenshots import take

pytestmark = pytest.mark.once


def test_a_page_gives_a_picture_in_each_look_and_the_same_again(face, browser, tmp_path):
    for folder in ("one", "other"):
        take(browser, face, [NAMED["sessions-one"]], tmp_path / folder)
    pictures = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    assert {name: width(picture) for name, picture in pictures.items()} == {
        "sessions-one-light.png": 1000,
        "sessions-one-dark.png": 1000,
        "sessions-one-phone.png": 780,
    }
    assert pictures["sessions-one-light.png"] != pictures["sessions-one-dark.png"]
    assert pictures == {path.name: path.read_bytes() for path in (tmp_path / "other").iterdir()}


def width(picture):
    return unpack(">I", picture[16:20])[0]
