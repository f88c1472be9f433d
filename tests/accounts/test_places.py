"""Where a session was, if the site has a file that says so."""

from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.utils.translation import override

from accounts import places
from tests.accounts.conftest import FIREFOX
from tokens.models import RefreshToken

pytestmark = pytest.mark.once

FILE = Path(__file__).with_name("places.mmdb")
LINKOPING, LONDON, NOWHERE = "89.160.20.112", "81.2.69.142", "192.0.2.1"


@pytest.fixture
def known(settings):
    settings.GEOIP_PATH = str(FILE)


@pytest.fixture(autouse=True)
def forgotten():
    """No test reads by the reader of another."""
    places._reader.cache_clear()
    yield
    places._reader.cache_clear()


@pytest.mark.usefixtures("known")
class TestPlace:
    def test_is_city_and_country(self):
        assert places.place(LONDON) == "London, United Kingdom"

    @pytest.mark.parametrize(("language", "words"), [("de", "Linköping, Schweden"), ("es", "Linköping, Suecia")])
    def test_is_in_the_language_of_the_page(self, language, words):
        with override(language):
            assert places.place(LINKOPING) == words

    def test_is_in_chinese_under_the_name_that_the_file_has_for_it(self):
        with override("zh-hans"):
            assert places.place(LONDON).endswith("英国")

    def test_is_the_country_alone_where_no_more_is_known(self):
        assert places.place("2001:218::1") == "Japan"

    @pytest.mark.parametrize("address", [NOWHERE, None])
    def test_is_empty_if_it_is_not_known(self, address):
        assert places.place(address) == ""


def test_a_file_that_knows_one_kind_of_addresses_alone_says_nothing_of_the_other(settings, tmp_path):
    file = tmp_path / "places.mmdb"
    file.write_bytes(FILE.read_bytes().replace(b"ip_version\xa1\x06", b"ip_version\xa1\x04"))
    settings.GEOIP_PATH = str(file)

    assert places.place("2001:218::1") == ""


class TestWithoutAFile:
    def test_there_is_no_place(self):
        assert places.place(LONDON) == ""

    @pytest.mark.parametrize("content", [None, b"no database"])
    def test_that_can_be_read_there_is_none_and_the_log_says_so_once(self, settings, tmp_path, caplog, content):
        file = tmp_path / "places.mmdb"
        if content:
            file.write_bytes(content)
        settings.GEOIP_PATH = str(file)

        assert [places.place(LONDON), places.place(LONDON)] == ["", ""]
        assert [record.message for record in caplog.records] == ["GEOIP_PATH cannot be read: no places are shown."]


def found():
    return [message.id for message in run_checks() if message.id.startswith("accounts")]


class TestCheckPlaces:
    def test_e001_a_file_that_cannot_be_read(self, settings, tmp_path):
        settings.GEOIP_PATH = str(tmp_path / "none.mmdb")

        assert found() == ["accounts.E001"]

    def test_one_that_can_is_fine(self, known):
        assert found() == []


def test_a_session_says_its_place(using, bob, sign_in, known):
    client = using(FIREFOX)
    sign_in(client, bob)
    RefreshToken.objects.update(ip_address=LONDON)

    assert f"<p><bdi>{LONDON}</bdi> · London, United Kingdom</p>" in client.get("/accounts/sessions/").content.decode()
