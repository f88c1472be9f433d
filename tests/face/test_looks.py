"""Every page of the gallery: readable at any size, usable by any finger and by keyboard, whole in any colours."""

from urllib.parse import urlsplit

import pytest

from tests.face.gallery import GALLERY

pytestmark = pytest.mark.once

every_page = pytest.mark.parametrize("name", [picture.name for picture in GALLERY])
STATUS = {picture.name: picture.status for picture in GALLERY}


@every_page
def test_it_is_the_page_that_the_gallery_says(seen, name):
    assert seen(name).status == STATUS[name]


@every_page
def test_the_browser_has_nothing_to_complain_of(seen, name):
    """Scripts that fail, files that are missing, and whatever the Content-Security-Policy forbids."""
    assert seen(name).console == []


@every_page
def test_no_other_host_hears_of_the_visit(seen, face, name):
    assert seen(name).hosts == {urlsplit(face.url).netloc}


@every_page
@pytest.mark.parametrize("where", ["at 640", "at 320", "in large letters"])
def test_nothing_has_to_be_scrolled_sideways(seen, name, where):
    """A desktop zoomed to 200 %, the smallest phone, letters of twice the size (WCAG 1.4.4, 1.4.10)."""
    assert seen(name)[f"tooWide {where}"] == []


@every_page
@pytest.mark.parametrize("where", ["", " on a phone"])
def test_a_finger_hits_what_it_points_at(seen, name, where):
    """24 by 24 pixels at least, unless it is a link in a sentence (WCAG 2.5.8)."""
    assert seen(name)[f"tooSmall{where}"] == []


@every_page
def test_where_the_keyboard_is_can_be_seen(seen, name):
    """A ring of two pixels, in a colour that stands out from what is around it by 3:1 (WCAG 2.4.7, 1.4.11)."""
    assert seen(name)["unseenFocus"] == []


@every_page
def test_it_can_be_seen_in_colours_of_ones_own(seen, name):
    assert seen(name)["unseenFocus in forced colors"] == []


@every_page
@pytest.mark.parametrize("where", ["", " on a phone"])
def test_the_tab_key_goes_down_the_page(seen, name, where):
    assert seen(name)[f"backwards{where}"] == []


@every_page
def test_nothing_is_lost_in_colours_of_ones_own(seen, name):
    assert seen(name)["vanished in forced colors"] == []


@every_page
def test_nothing_moves_for_those_who_want_it_to_be_still(seen, name):
    assert seen(name)["moving"] == []
