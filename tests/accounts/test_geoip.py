"""Where a session was, if the site has a file that says so."""

from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.utils.translation import override

from accounts.account import geoip
from tokens.models import RefreshToken

pytestmark = pytest.mark.once

FILE = Path(__file__).with_name("geoip.mmdb")
LINKOPING, LONDON = "89.160.20.112", "81.2.69.142"


@pytest.fixture
def known(settings):
    settings.GEOIP_PATH = str(FILE)


@pytest.fixture(autouse=True)
def forgotten():
    """No test reads by the reader of another."""
    geoip._reader.cache_clear()
    yield
    geoip._reader.cache_clear()


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    ("language", "address", "words"),
    [
        ("es", LINKOPING, "Linköping, Suecia"),
        ("zh-hans", LONDON, "London, 英国"),  # whose names the file has under another code
        ("en", "2001:218::1", "Japan"),  # of which the file knows no more
        ("en", "192.0.2.1", ""),
        ("en", None, ""),
    ],
)
def test_a_place_is_city_and_country_in_the_language_of_the_page(language, address, words):
    with override(language):
        assert geoip.location(address) == words


def test_a_file_that_knows_one_kind_of_addresses_alone_says_nothing_of_the_other(settings, tmp_path):
    file = tmp_path / "geoip.mmdb"
    file.write_bytes(FILE.read_bytes().replace(b"ip_version\xa1\x06", b"ip_version\xa1\x04"))
    settings.GEOIP_PATH = str(file)
    assert geoip.location("2001:218::1") == ""


@pytest.mark.parametrize("content", [None, b"no database"])
def test_without_a_file_that_can_be_read_there_is_no_place_and_the_log_says_so_once(
    settings, tmp_path, caplog, content
):
    assert geoip.location(LONDON) == ""
    assert caplog.records == []
    file = tmp_path / "geoip.mmdb"
    if content:
        file.write_bytes(content)
    settings.GEOIP_PATH = str(file)
    assert [geoip.location(LONDON), geoip.location(LONDON)] == ["", ""]
    assert [record.message for record in caplog.records] == ["GEOIP_PATH cannot be read, so no locations are shown."]


@pytest.mark.parametrize(("name", "ids"), [("none.mmdb", ["accounts.E001"]), (FILE.name, [])])
def test_e001_a_file_that_cannot_be_read(settings, name, ids):
    settings.GEOIP_PATH = str(FILE.with_name(name))
    assert [message.id for message in run_checks(databases=[]) if message.id.startswith("accounts")] == ids


def test_a_session_says_its_place(here, known):
    RefreshToken.objects.update(ip_address=LONDON)
    assert "London, United Kingdom" in here.get("/accounts/sessions/").content.decode()
