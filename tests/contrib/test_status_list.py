"""The Token Status List (draft-ietf-oauth-status-list), read as neighbours do: by another library and by hand."""

import gzip
import zlib
from base64 import urlsafe_b64decode
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.db.models import F
from django.urls import reverse
from joserfc import jwt as joserfc
from joserfc.jwk import KeySet

from tests.security.forging import altered, members
from tests.tokens.clock import copy_of, elapse
from tests.tokens.kinds import ACCESS, ISSUER, KEY, RING, access_token, cause, reread
from tests.tokens.outage import gone
from tokens.conf import conf
from tokens.contrib.status_list import compressed, packed, time_to_live, write_status_list
from tokens.core import jwt, keyfile
from tokens.core import keys as signing_keys
from tokens.models import RefreshToken
from tokens.testing import Client

pytestmark = pytest.mark.urls("tests.tokens.urls")

Reason = RefreshToken.Reason
URL = "/.well-known/status-list"
LIFETIME = 900

# The draft's own example (§4.1).
INDEXES, SIZE, LST = {0, 3, 4, 5, 7, 8, 9, 13, 15}, 16, "eNrbuRgAAhcBXQ"


def octets_of(lst):
    return zlib.decompress(urlsafe_b64decode(lst + "=" * (-len(lst) % 4)))


def ones(lst):
    """The places whose bit is 1."""
    octets = octets_of(lst)
    return {place for place in range(8 * len(octets)) if octets[place // 8] >> place % 8 & 1}


class TestPacked:
    def test_it_is_what_the_drafts_example_holds(self):
        assert packed(INDEXES, SIZE) == octets_of(LST)

    def test_the_first_index_is_the_least_significant_bit_of_the_first_octet(self):
        assert packed([0], 16) == b"\x01\x00"
        assert packed([7, 8, 8], 16) == b"\x80\x01"

    def test_of_nobody_it_is_all_zeros(self):
        assert packed([], 2**20) == bytes(2**17)


class TestCompressed:
    def test_it_is_zlib_at_its_best_in_base64url_without_padding(self):
        made = compressed(packed(INDEXES, SIZE))
        assert ones(made) == INDEXES
        assert made[:3] == LST[:3] == "eNr"  # 78 da: the ZLIB format, and the highest level
        assert "=" not in made
        assert len(made) <= len(LST)


class TestTimeToLive:
    def test_is_a_fifteenth_of_an_access_tokens_life_and_never_nothing(self):
        assert [time_to_live(seconds) for seconds in (900, 3600, 15, 14, 1, 1.5)] == [60, 240, 1, 1, 1, 1]


class TestWriteStatusList:
    def made(self, ring, ended=(5,), lifetime=LIFETIME):
        return write_status_list(ended, size=64, now=1_700_000_000.9, lifetime=lifetime, ring=ring, issuer=ISSUER)

    def test_it_says_what_the_draft_asks_for_and_no_more(self):
        claims = members(self.made(RING), 1)
        assert claims.pop("status_list").keys() == {"bits", "lst"}
        assert claims == {
            "iss": ISSUER,
            "sub": f"{ISSUER}/.well-known/status-list",
            "iat": 1_700_000_000,
            "exp": 1_700_000_900,
            "ttl": 60,
        }

    def test_its_subject_is_what_tokens_name(self):
        token = members(access_token(replace(ACCESS, idx=5)), 1)
        assert members(self.made(RING), 1)["sub"] == token["status"]["status_list"]["uri"]
        assert jwt.status_uri("https://sojourn.example/") == jwt.status_uri("https://sojourn.example")

    def test_it_passes_for_no_token_of_ours(self):
        made = self.made(RING)
        assert cause(made) == "The token is of another type."
        assert cause(made, reread) == "The token is of another type."
        assert cause(altered(made, KEY, header={"typ": "at+jwt"})) == "The audience is not exactly ours."


def ended():
    """The places that a fresh list says have ended; all that neighbours are promised of it is looked at."""
    response = Client().get(URL)
    assert response.status_code == 200
    keys = KeySet.import_key_set({"keys": conf.key_ring.public()})
    found = joserfc.decode(response.content.decode(), keys, algorithms=["ES256"])
    assert found.header == {"typ": "statuslist+jwt", "alg": "ES256", "kid": conf.key_ring.current.kid}
    assert found.claims["sub"] == conf.issuer + URL
    assert found.claims["status_list"]["bits"] == 1
    assert 8 * len(octets_of(found.claims["status_list"]["lst"])) == conf.status_list
    return ones(found.claims["status_list"]["lst"])


@pytest.mark.django_db
class TestStatusList:
    """The view."""

    def test_it_is_for_everybody_and_every_cache_and_costs_one_query(
        self, status_list, bob, signed_in, django_assert_num_queries
    ):
        browser = signed_in(bob)
        with django_assert_num_queries(1):
            response = browser.get(URL)
        assert not response.cookies
        assert response.headers["Content-Type"] == "application/statuslist+jwt"
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert set(response.headers["Cache-Control"].split(", ")) == {"public", "max-age=60"}
        assert response.headers["Vary"] == "Accept-Encoding"

    def test_it_is_only_read_and_only_as_it_is_now(self, status_list):
        assert Client().head(URL).status_code == 200
        assert Client().post(URL).status_code == 405
        assert Client().get(URL, {"time": "1686925000"}).status_code == 501

    def test_while_it_is_off_there_is_none(self, db):
        assert Client().get(URL).status_code == 404

    def test_it_is_compressed_for_whoever_can_read_that(self, status_list, settings):
        settings.TOKENS_STATUS_LIST = 2**20
        response = Client().get(URL, headers={"accept-encoding": "gzip"})
        assert response.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(response.content).count(b".") == 2

    @pytest.mark.urls("project.urls")
    def test_it_stands_where_tokens_say_that_it_does(self, status_list):
        assert urlsplit(jwt.status_uri(conf.issuer)).path == reverse("status_list") == URL
        assert ended() == set()

    def test_it_speaks_of_lifetimes_as_they_are(self, status_list, settings):
        settings.TOKENS_ACCESS_LIFETIME, settings.TOKENS_CONFIRM_AFTER = 30, 10
        response = Client().get(URL)
        claims = members(response.content.decode(), 1)
        assert (claims["ttl"], claims["exp"] - claims["iat"]) == (2, 30)
        assert "max-age=2" in response.headers["Cache-Control"]

    def test_it_is_signed_by_the_key_that_signs_now(self, status_list, settings, tmp_path):
        others = [signing_keys.generate_jwk("ES256", signing_keys.NEXT), signing_keys.generate_jwk("ES256")]
        keyfile.write(tmp_path / "others.json", {"keys": others})
        settings.TOKENS_KEYS = str(tmp_path / "others.json")
        assert ended() == set()
        assert conf.key_ring.current.kid == others[1]["kid"]

    def test_without_the_database_there_is_none_for_a_moment(self, status_list, bob):
        with gone():
            assert Client().get(URL).status_code == 503
        assert ended() == set()


def be_deactivated(browser, row):
    row.user.is_active = False
    row.user.save()


def be_robbed(browser, row):
    thief = copy_of(browser)
    for _ in range(2):
        elapse(1000, browser)
        browser.get("/who/")
    elapse(2000, thief)
    thief.get("/who/", follow=True)


ENDINGS = {
    "sign out": lambda browser, row: browser.post("/log-out/"),
    "be ended": lambda browser, row: row.revoke(Reason.ENDED),
    "be deactivated": be_deactivated,
    "be deleted": lambda browser, row: row.user.delete(),
    "change the password": lambda browser, row: browser.post("/change-password/", {"password": "another password"}),
    "be robbed": be_robbed,
}


@pytest.mark.django_db
class TestWhoIsInIt:
    def test_nobody_who_is_signed_in_even_with_another_role(self, status_list, bob, signed_in):
        signed_in(bob)
        bob.is_staff = True
        bob.save()
        assert ended() == set()

    @pytest.mark.parametrize("way", ENDINGS.values(), ids=ENDINGS)
    def test_a_session_that_ends_in_whatever_way(self, status_list, bob, alice, signed_in, way):
        browser, other = signed_in(bob), signed_in(alice)
        row = RefreshToken.objects.get(user=bob)
        way(browser, row)
        assert ended() == {row.status_index}
        assert other.get("/who/").content == b"alice"

    def test_everybody_whom_an_end_of_all_has_ended(self, status_list, bob, alice):
        listed = {RefreshToken.objects.start(person).status_index for person in (bob, alice)}
        RefreshToken.objects.end_all()
        RefreshToken.objects.start(bob)
        assert ended() == listed

    def test_behind_djangos_back_from_the_next_reading_of_the_row(self, status_list, bob, signed_in, name_on):
        browser = signed_in(bob)
        type(bob).objects.update(is_active=False)
        assert ended() == set()
        assert name_on(browser, "/guarded/") == "nobody"
        assert ended() == {RefreshToken.objects.get().status_index}

    @pytest.mark.parametrize(("ago", "there"), [(LIFETIME + 280, True), (LIFETIME + 320, False)])
    def test_nobody_whose_tokens_are_all_over(self, status_list, bob, ago, there):
        row = RefreshToken.objects.start(bob)
        row.revoke(Reason.ENDED)
        RefreshToken.objects.update(changed_at=F("changed_at") - timedelta(seconds=ago))
        assert ended() == ({row.status_index} if there else set())

    def test_nobody_without_a_place(self, status_list, bob, settings):
        settings.TOKENS_STATUS_LIST = 0
        RefreshToken.objects.start(bob).revoke(Reason.ENDED)
        settings.TOKENS_STATUS_LIST = 1024
        assert ended() == set()

    def test_nobody_beyond_the_end_of_a_list_that_has_shrunk(self, status_list, bob, settings):
        row = RefreshToken.objects.start(bob)
        row.revoke(Reason.ENDED)
        RefreshToken.objects.update(status_index=8)
        settings.TOKENS_STATUS_LIST = 8
        assert ended() == set()
        settings.TOKENS_STATUS_LIST = 16
        assert ended() == {8}
