"""The Token Status List (draft-ietf-oauth-status-list), read as neighbours do: by another library and by hand."""

import gzip
import json
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

from tests.tokens.clock import copy_of, elapse
from tests.tokens.forge import altered, part
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

# The draft's own examples: 16 places in §4.1, and 2^20 in appendix C.1.
SHORT = ({0, 3, 4, 5, 7, 8, 9, 13, 15}, 16, "eNrbuRgAAhcBXQ")
LONG = (
    {0, 1993, 25460, 159495, 495669, 554353, 645645, 723232, 854545, 934534, 1000345},
    2**20,
    "eNrt3AENwCAMAEGogklACtKQPg9LugC9k_ACvreiogEAAKkeCQAAAAAAAAAAAAAAAAAAAIBylgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAXG9IAAAAAAAAAPwsJAAAAAAAAAAAAAAAvhsSAAAAAAAAAAAA7KpLAAAAAAAAAAAAAAAAAAAAAJsLCQAAAAAAAAAA"
    "ADjelAAAAAAAAAAAKjDMAQAAAACAZC8L2AEb",
)


def octets_of(lst):
    return zlib.decompress(urlsafe_b64decode(lst + "=" * (-len(lst) % 4)))


def ones(lst):
    """The places whose bit is 1."""
    octets = octets_of(lst)
    return {place for place in range(8 * len(octets)) if octets[place // 8] >> place % 8 & 1}


class TestPacked:
    @pytest.mark.parametrize(("places", "size", "lst"), [SHORT, LONG])
    def test_it_is_what_the_drafts_examples_hold(self, places, size, lst):
        assert packed(places, size) == octets_of(lst)

    def test_the_first_place_is_the_least_significant_bit_of_the_first_octet(self):
        assert packed([0], 16) == b"\x01\x00"
        assert packed([7, 8], 16) == b"\x80\x01"
        assert packed(SHORT[0], 16) == b"\xb9\xa3"

    def test_a_place_that_is_named_twice_is_one_bit(self):
        assert packed([3, 3], 8) == b"\x08"

    def test_of_nobody_it_is_all_zeros(self):
        assert packed([], 2**20) == bytes(2**17)


class TestCompressed:
    @pytest.mark.parametrize(("places", "size", "lst"), [SHORT, LONG])
    def test_it_is_zlib_at_its_best_in_base64url_without_padding(self, places, size, lst):
        made = compressed(packed(places, size))
        assert ones(made) == places
        assert made[:3] == lst[:3] == "eNr"  # 78 da: the ZLIB format, and the highest level
        assert "=" not in made
        assert len(made) <= len(lst)


class TestTimeToLive:
    def test_is_a_fifteenth_of_an_access_tokens_life_and_never_nothing(self):
        assert [time_to_live(seconds) for seconds in (900, 3600, 15, 14, 1, 1.5)] == [60, 240, 1, 1, 1, 1]


class TestWriteStatusList:
    def made(self, ring, ended=(5,), lifetime=LIFETIME):
        return write_status_list(ended, size=64, now=1_700_000_000.9, lifetime=lifetime, ring=ring, issuer=ISSUER)

    @pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # for a name that joserfc does not like any more
    @pytest.mark.parametrize("alg", ["ES256", "EdDSA", "RS256"])
    def test_another_library_verifies_it_with_the_published_key(self, alg):
        ring = signing_keys.parse_jwks({"keys": [signing_keys.generate_jwk(alg)]})
        found = joserfc.decode(self.made(ring), KeySet.import_key_set({"keys": ring.public()}), algorithms=[alg])
        assert found.header == {"typ": "statuslist+jwt", "alg": alg, "kid": ring.current.kid}
        assert ones(found.claims["status_list"]["lst"]) == {5}

    def test_it_says_what_the_draft_asks_for_and_no_more(self):
        claims = json.loads(part(self.made(RING), 1))
        assert claims.pop("status_list").keys() == {"bits", "lst"}
        assert claims == {
            "iss": ISSUER,
            "sub": f"{ISSUER}/.well-known/status-list",
            "iat": 1_700_000_000,
            "exp": 1_700_000_900,
            "ttl": 60,
        }

    def test_its_subject_is_what_tokens_name(self):
        token = json.loads(part(access_token(replace(ACCESS, idx=5)), 1))
        assert json.loads(part(self.made(RING), 1))["sub"] == token["status"]["status_list"]["uri"]
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
    assert found.header["typ"] == "statuslist+jwt"
    assert found.claims["sub"] == conf.issuer + URL
    assert found.claims["status_list"]["bits"] == 1
    assert 8 * len(octets_of(found.claims["status_list"]["lst"])) == conf.status_list
    return ones(found.claims["status_list"]["lst"])


@pytest.mark.django_db
class TestStatusList:
    """The view."""

    def test_it_is_for_everybody_and_every_cache(self, status_list):
        response = Client().get(URL)
        assert response.headers["Content-Type"] == "application/statuslist+jwt"
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert set(response.headers["Cache-Control"].split(", ")) == {"public", "max-age=60"}
        assert response.headers["Vary"] == "Accept-Encoding"

    def test_it_costs_one_query_and_looks_at_no_cookie(self, status_list, bob, signed_in, django_assert_num_queries):
        browser = signed_in(bob)
        with django_assert_num_queries(1):
            response = browser.get(URL)
        assert response.status_code == 200
        assert not response.cookies

    def test_it_is_there_for_get_and_head_alone(self, status_list):
        assert Client().head(URL).status_code == 200
        assert Client().head(URL).content == b""
        assert Client().post(URL).status_code == 405

    def test_while_it_is_off_there_is_none(self, db):
        assert Client().get(URL).status_code == 404

    def test_it_is_compressed_for_whoever_can_read_that(self, status_list, settings):
        settings.TOKENS_STATUS_LIST = 2**20
        response = Client().get(URL, headers={"accept-encoding": "gzip"})
        assert response.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(response.content).count(b".") == 2

    def test_what_it_was_at_another_time_is_not_told(self, status_list):
        assert Client().get(URL, {"time": "1686925000"}).status_code == 501

    @pytest.mark.urls("project.urls")
    def test_it_stands_where_tokens_say_that_it_does(self, status_list):
        assert urlsplit(jwt.status_uri(conf.issuer)).path == reverse("status_list") == URL
        assert ended() == set()

    def test_it_speaks_of_lifetimes_as_they_are(self, status_list, settings):
        settings.TOKENS_ACCESS_LIFETIME, settings.TOKENS_CONFIRM_AFTER = 30, 10
        response = Client().get(URL)
        claims = json.loads(part(response.content.decode(), 1))
        assert (claims["ttl"], claims["exp"] - claims["iat"]) == (2, 30)
        assert "max-age=2" in response.headers["Cache-Control"]

    def test_it_is_signed_by_the_key_that_signs_now(self, status_list, settings, tmp_path):
        keyfile.write(
            tmp_path / "others.json",
            {"keys": [signing_keys.generate_jwk("ES256", signing_keys.NEXT), signing_keys.generate_jwk("ES256")]},
        )
        settings.TOKENS_KEYS = str(tmp_path / "others.json")
        assert json.loads(part(Client().get(URL).content.decode(), 0))["kid"] == conf.key_ring.current.kid
        assert ended() == set()

    def test_without_the_database_there_is_none_for_a_moment(self, status_list, bob):
        with gone():
            assert Client().get(URL).status_code == 503
        assert ended() == set()

    def test_it_opens_nothing_to_whoever_shows_it(self, status_list, bob, name_on):
        client = Client()
        token = client.get(URL).content.decode()
        client.cookies.load({"__Host-access": token, "__Host-refresh": token})
        assert name_on(client) == "nobody"


def leave(browser, row):
    browser.post("/log-out/")


def be_ended(browser, row):
    row.revoke(Reason.ENDED)


def be_ended_everywhere(browser, row):
    RefreshToken.objects.revoke_for([row.user], Reason.ADMIN)


def be_deactivated(browser, row):
    row.user.is_active = False
    row.user.save()


def be_deleted(browser, row):
    row.user.delete()


def get_another_password(browser, row):
    row.user.set_password("another password")
    row.user.save()


def change_the_password(browser, row):
    browser.post("/change-password/", {"password": "another password"})


def be_robbed(browser, row):
    thief = copy_of(browser)
    for _ in range(2):
        elapse(1000, browser)
        browser.get("/who/")
    elapse(2000, thief)
    thief.get("/who/", follow=True)


ENDINGS = [
    *(leave, be_ended, be_ended_everywhere, be_deactivated, be_deleted, get_another_password, change_the_password),
    be_robbed,
]


@pytest.mark.django_db
class TestWhoIsInIt:
    def test_nobody_who_is_signed_in(self, status_list, bob, signed_in):
        for _ in range(3):
            signed_in(bob)
        assert ended() == set()

    @pytest.mark.parametrize("way", ENDINGS, ids=lambda way: way.__name__)
    def test_a_session_that_ends_in_whatever_way(self, status_list, bob, alice, signed_in, way):
        browser, other = signed_in(bob), signed_in(alice)
        row = RefreshToken.objects.get(user=bob)
        way(browser, row)
        assert ended() == {row.status_index}
        assert other.get("/who/").content == b"alice"

    def test_behind_djangos_back_from_the_next_reading_of_the_row(self, status_list, bob, signed_in, name_on):
        browser = signed_in(bob)
        type(bob).objects.update(is_active=False)
        assert ended() == set()
        assert name_on(browser, "/guarded/") == "nobody"
        assert ended() == {RefreshToken.objects.get().status_index}

    def test_nobody_who_has_only_another_role(self, status_list, bob, signed_in):
        signed_in(bob)
        bob.is_staff = True
        bob.save()
        assert ended() == set()

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
