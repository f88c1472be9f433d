"""Where a session was, if the site has a file that says so."""

from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.utils.translation import override

from accounts.account import geoip
from tests.accounts.conftest import FIREFOX
from tokens.models import RefreshToken

pytestmark = pytest.mark.once

FILE = Path(__file__).with_name("geoip.mmdb")
LINKOPING, LONDON, NOWHERE = "89.160.20.112", "81.2.69.142", "192.0.2.1"


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
class TestPlace:
    @pytest.mark.parametrize(
        ("language", "address", "words"),
        [
            ("en", LONDON, "London, United Kingdom"),
            ("es", LINKOPING, "Linköping, Suecia"),
            ("zh-hans", LONDON, "London, 英国"),  # whose names the file has under another code
        ],
    )
    def test_is_city_and_country_in_the_language_of_the_page(self, language, address, words):
        with override(language):
            assert geoip.location(address) == words

    def test_is_the_country_alone_where_no_more_is_known(self):
        assert geoip.location("2001:218::1") == "Japan"

    @pytest.mark.parametrize("address", [NOWHERE, None])
    def test_is_empty_if_it_is_not_known(self, address):
        assert geoip.location(address) == ""


def test_a_file_that_knows_one_kind_of_addresses_alone_says_nothing_of_the_other(settings, tmp_path):
    file = tmp_path / "geoip.mmdb"
    file.write_bytes(FILE.read_bytes().replace(b"ip_version\xa1\x06", b"ip_version\xa1\x04"))
    settings.GEOIP_PATH = str(file)
    assert geoip.location("2001:218::1") == ""


class TestWithoutAFile:
    def test_there_is_no_place(self):
        assert geoip.location(LONDON) == ""

    @pytest.mark.parametrize("content", [None, b"no database"])
    def test_that_can_be_read_there_is_none_and_the_log_says_so_once(self, settings, tmp_path, caplog, content):
        file = tmp_path / "geoip.mmdb"
        if content:
            file.write_bytes(content)
        settings.GEOIP_PATH = str(file)
        assert [geoip.location(LONDON), geoip.location(LONDON)] == ["", ""]
        assert [record.message for record in caplog.records] == ["GEOIP_PATH cannot be read: no places are shown."]


def found():
    return [message.id for message in run_checks() if message.id.startswith("accounts")]


class TestCheckPlaces:
    @pytest.mark.parametrize(("name", "ids"), [("none.mmdb", ["accounts.E001"]), (FILE.name, [])])
    def test_e001_a_file_that_cannot_be_read(self, settings, name, ids):
        settings.GEOIP_PATH = str(FILE.with_name(name))
        assert found() == ids


def test_a_session_says_its_place(using, bob, sign_in, known):
    client = using(FIREFOX)
    sign_in(client, bob)
    RefreshToken.objects.update(ip_address=LONDON)
    assert f"<p><bdi>{LONDON}</bdi> · London, United Kingdom</p>" in client.get("/accounts/sessions/").content.decode()
