"""The place of a sign-in in the status list: given once, told by its access tokens, and of no use to a forger."""

import json
import threading
from dataclasses import replace
from datetime import timedelta
from itertools import chain, repeat

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from tests.security.forging import altered, part
from tests.tokens.clock import EXPIRED, elapse, jar
from tests.tokens.kinds import ACCESS, ISSUER, KEY, access_token, cause, read
from tests.tokens.racing import together
from tokens import verification
from tokens.core import keys
from tokens.models import EndOfAll, RefreshToken, status_index
from tokens.revocation import local_revocation_list

pytestmark = pytest.mark.urls("tests.tokens.urls")

Reason = RefreshToken.Reason
OVER = 2 * 15 * 60 + 300  # seconds after an end during which some list may say so
SENTENCE = "The claim `status` is not an entry of this site's status list."

URI = f"{ISSUER}/.well-known/status-list"
ENTRY = {"idx": 5, "uri": URI}
FORGED = [
    *(None, 5, [{"status_list": ENTRY}], ENTRY),
    *({"status_list": value} for value in (None, [5, URI], {"idx": 5}, {"uri": URI}, ENTRY | {"bits": 1})),
    *({"status_list": ENTRY | {"idx": idx}} for idx in (-1, 5.0, True, None, "5", 2**53)),
    *({"status_list": ENTRY | {"uri": uri}} for uri in (None, "", URI + "/", URI.upper())),
    {"status_list": ENTRY, "identifier_list": {}},
]


class TestTheClaim:
    def test_it_is_the_drafts_and_there_only_with_an_index(self):
        written = json.loads(part(access_token(replace(ACCESS, idx=0)), 1))
        assert written["status"] == {"status_list": {"idx": 0, "uri": URI}}
        assert "status" not in json.loads(part(access_token(), 1))

    def test_what_was_written_is_read(self):
        for idx in (None, 0, 2**31 - 1):
            assert read(access_token(replace(ACCESS, idx=idx))).idx == idx

    def test_any_other_shape_is_refused(self):
        assert {cause(altered(access_token(), KEY, payload={"status": forged})) for forged in FORGED} == {SENTENCE}

    def test_a_claim_about_the_person_cannot_stand_in_for_it(self):
        assert read(access_token(replace(ACCESS, idx=5, user={"status": "a person"}))).idx == 5

    def test_an_ordinary_token_is_under_1_kilobyte_and_one_of_the_longest_name_can_be_read(self):
        claims = replace(ACCESS, new=True, idx=2**31 - 1, user={"username": "a" * 30, "is_staff": True})
        assert len(access_token(claims, keys.parse_jwks({"keys": [keys.generate_jwk("ES256")]}))) < 1024
        ring = keys.parse_jwks({"keys": [keys.generate_jwk("RS256")]})
        claims = replace(claims, user={"username": "𐐀" * 150, "is_staff": True})
        assert read(access_token(claims, ring), ring) == claims


@pytest.fixture
def dice(monkeypatch):
    """`dice(*places)`: the places that each thread draws, over and over the last."""

    def dice(*places):
        drawn = threading.local()

        def draw(size):
            drawn.left = getattr(drawn, "left", None) or chain(places, repeat(places[-1]))
            return next(drawn.left)

        monkeypatch.setattr(status_index.secrets, "randbelow", draw)

    return dice


def age(seconds):
    """Move the ends of all rows back."""
    ago = timedelta(seconds=seconds)
    times = ("created_at", "changed_at", "expires_at")
    RefreshToken.objects.update(**{name: F(name) - ago for name in times})
    EndOfAll.objects.update(ended_at=F("ended_at") - ago)


def claim_of(browser):
    return json.loads(part(jar(browser)["access"], 1)).get("status")


@pytest.mark.django_db
class TestAtSignIn:
    def test_a_place_is_given_and_told_by_the_token(self, status_list, bob, signed_in):
        browser = signed_in(bob)
        row = RefreshToken.objects.get()
        assert 0 <= row.status_index < 1024
        assert claim_of(browser) == {
            "status_list": {"idx": row.status_index, "uri": "http://testserver/.well-known/status-list"}
        }
        assert len(jar(browser)["access"]) < 1024

    def test_while_the_list_is_off_there_is_none(self, bob, signed_in):
        assert claim_of(signed_in(bob)) is None
        assert RefreshToken.objects.get().status_index is None

    def test_places_are_drawn_from_the_whole_list(self, status_list, bob):
        drawn = {RefreshToken.objects.start(bob).status_index for _ in range(40)}
        assert len(drawn) == 40  # each has its own
        assert max(drawn) - min(drawn) > 512  # fails once in 2^34

    def test_it_costs_two_queries_more(self, status_list, bob, settings):
        def cost():
            with CaptureQueriesContext(connection) as queries:
                RefreshToken.objects.start(bob)
            return len(queries)

        kept = cost()
        settings.TOKENS_STATUS_LIST = 0
        assert kept == cost() + 2

    @pytest.mark.parametrize("ago", [0, OVER - 20])
    def test_an_index_that_is_taken_goes_to_nobody_else_while_a_list_may_say_that_it_ended(
        self, status_list, bob, dice, ago
    ):
        dice(3)
        RefreshToken.objects.start(bob).revoke(Reason.ENDED)
        age(ago)
        dice(3, 700)
        assert RefreshToken.objects.start(bob).status_index == 700

    @pytest.mark.parametrize(
        "end",
        [
            lambda row: row.revoke(Reason.ENDED),
            lambda row: RefreshToken.objects.end_all(),
            lambda row: age(24 * 3600),
        ],
    )
    def test_what_is_over_gives_its_index_back(self, status_list, bob, alice, dice, end):
        dice(3)
        old = RefreshToken.objects.start(bob)
        end(old)
        age(OVER + 20)
        assert RefreshToken.objects.start(alice).status_index == 3
        old.refresh_from_db()
        assert old.status_index is None

    def test_a_free_index_goes_before_one_that_was_given_back(self, status_list, bob, dice):
        dice(3)
        RefreshToken.objects.start(bob).revoke(Reason.ENDED)
        age(24 * 3600)
        dice(3, 700)
        assert RefreshToken.objects.start(bob).status_index == 700

    def test_one_person_does_not_fill_the_list(self, status_list, bob, alice, settings):
        settings.TOKENS_MAX_SESSIONS = 2
        for _ in range(8):
            RefreshToken.objects.start(bob).revoke(Reason.SIGNED_OUT)
        assert RefreshToken.objects.filter(status_index__isnull=False).count() == 6
        assert RefreshToken.objects.start(alice).status_index is not None
        age(OVER + 20)
        assert RefreshToken.objects.start(bob).status_index is not None

    def test_a_list_without_room_turns_nobody_away(self, status_list, bob, signed_in, name_on, dice, caplog):
        dice(3)
        signed_in(bob)
        browser = signed_in(bob)
        assert name_on(browser) == "bob"
        assert claim_of(browser) is None
        assert RefreshToken.objects.filter(status_index=None).count() == 1
        assert RefreshToken.objects.count() == 2
        assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
            "The status list is too full for a new session: raise TOKENS_STATUS_LIST."
        ]


@pytest.mark.django_db(transaction=True)
def test_sign_ins_of_the_same_moment_share_no_place_and_never_fail(status_list, django_user_model, monkeypatch):
    people = [django_user_model.objects.create_user(f"p{number}", f"p{number}@example.org") for number in range(6)]
    for first in range(0, 1024, 256):
        drawn = threading.local()

        def draw(size, first=first, drawn=drawn):
            """Everybody draws the same place at first; the next ones are their own."""
            drawn.times = getattr(drawn, "times", -1) + 1
            return first if drawn.times == 0 else first + 1 + drawn.person

        def start(number, draw=draw, drawn=drawn):
            drawn.person = number
            return RefreshToken.objects.start(people[number]).status_index

        monkeypatch.setattr(status_index.secrets, "randbelow", draw)
        got = together([lambda number=number, start=start: start(number) for number in range(6)])
        assert len(set(got)) == 6 and None not in got
        assert first in got
        assert {row.status_index for row in RefreshToken.objects.filter(status_index__gte=first)} == set(got)


@pytest.mark.django_db
class TestFromThenOn:
    def test_a_refresh_keeps_it_and_costs_no_query_more(self, status_list, bob, signed_in, django_assert_num_queries):
        browser = signed_in(bob)
        before = claim_of(browser)
        local_revocation_list.entry("", RefreshToken.objects.changed_within)
        elapse(EXPIRED, browser)
        with django_assert_num_queries(2):
            assert browser.get("/who/").content == b"bob"
        assert claim_of(browser) == before is not None

    def test_a_token_that_is_made_again_or_settles_keeps_it_and_so_it_does_in_a_list_that_grows(
        self, status_list, bob, signed_in, settings
    ):
        browser = signed_in(bob)
        before = claim_of(browser)
        settings.TOKENS_STATUS_LIST = 2048
        for act in (RefreshToken.objects.bump, lambda: elapse(EXPIRED, browser), lambda: elapse(180, browser)):
            token = jar(browser)["access"]
            act()
            assert browser.get("/who/").content == b"bob"
            assert jar(browser)["access"] != token
            assert claim_of(browser) == before
        assert not verification.verify_access(jar(browser)["access"]).new

    def test_a_sign_in_from_before_the_list_was_on_never_gets_one(self, status_list, bob, signed_in, settings):
        settings.TOKENS_STATUS_LIST = 0
        browser = signed_in(bob)
        settings.TOKENS_STATUS_LIST = 1024
        elapse(EXPIRED, browser)
        assert browser.get("/who/").content == b"bob"
        assert claim_of(browser) is None

    @pytest.mark.parametrize("size", [0, 8])
    def test_a_place_that_the_list_has_no_more_is_not_told(self, status_list, bob, signed_in, settings, dice, size):
        dice(900)
        browser = signed_in(bob)
        settings.TOKENS_STATUS_LIST = size
        RefreshToken.objects.bump()
        assert browser.get("/who/").content == b"bob"
        assert claim_of(browser) is None
        elapse(EXPIRED, browser)
        assert browser.get("/who/").content == b"bob"
        assert claim_of(browser) is None
