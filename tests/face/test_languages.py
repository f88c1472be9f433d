"""Every page of the gallery in every language: each as it is when somebody comes to it."""

from urllib.parse import urlsplit

import pytest

from tests.face.gallery import GALLERY
from tests.hostile.wire import Socket, jar_after
from tests.languages.catalogue import LANGUAGES
from tests.languages.reader import english

pytestmark = pytest.mark.once

FOR_PROGRAMMERS = {"api", "styleguide"}
SHOWN = [
    picture
    for picture in GALLERY
    if picture.act is None and not picture.of_admin and picture.name not in FOR_PROGRAMMERS
]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_english_is_left(face, language):
    way = Socket(urlsplit(face.url).port)
    for picture in SHOWN:
        cookie = "; ".join(f"{name}={value}" for name, value in face.jars.get(picture.who, {}).items()).encode()
        answer = way.get(picture.path.format(**face.facts), cookie, Accept_Language=language)
        while answer.status in (302, 303):  # a link with a token leads to the page without it
            cookie = jar_after(cookie, answer)
            answer = way.get(answer.header("Location"), cookie, Accept_Language=language)
        assert answer.status == picture.status, picture.name
        assert f'<html lang="{language}"' in answer.text, picture.name
        assert english(answer.text) == [], picture.name
