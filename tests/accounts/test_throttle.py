"""Whose attempts are counted together."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings as site
from django.core.cache import cache
from django.http import HttpResponse
from django.test import RequestFactory

from accounts.security import known_browsers, limits
from accounts.security.limits import Limit
from accounts.security.rate_limit import Rate
from accounts.security.throttle import Throttled, account_key, hit, reset
from tests.conftest import PASSWORD

pytestmark = pytest.mark.usefixtures("clock")

DAY = 24 * 60 * 60
LIMIT = Limit(
    "a limit",
    visitor_and_account=Rate(free=2, first=10, longest=900, window=DAY),
    visitor=Rate(free=5, first=1, longest=20, window=DAY),
    account=Rate(free=8, first=1, longest=30, window=DAY),
    repeats=Rate(free=50, first=1, longest=20, window=DAY),
)


def visitor(address="192.0.2.1", **cookies):
    request = RequestFactory().post("/", REMOTE_ADDR=address)
    request.COOKIES = cookies
    return request


def remembering(request, user):
    """The same browser after `user` has signed in with it."""
    response = HttpResponse()
    known_browsers.remember(request, response, user)
    return visitor(**{name: morsel.value for name, morsel in response.cookies.items()})


def passes(request, account="", limit=LIMIT, guess=""):
    try:
        hit(request, limit, account, guess)
    except Throttled:
        return False
    return True


def shut(request, account="", limit=LIMIT):
    """Tries until nothing more is let through; how often it was."""
    return next(n for n in range(1000) if not passes(request, account, limit))


class TestOneVisitorAtOneAccount:
    def test_is_held_up_there_alone_and_what_was_refused_counts_nowhere(self):
        assert [passes(visitor(), "bob") for _ in range(50)] == [True] * 2 + [False] * 48
        assert [passes(visitor(), "alice") for _ in range(3)] == [True, True, False]

    @pytest.mark.parametrize("same", ["BOB", " Bob ", "\uff42\uff4f\uff42"])
    def test_however_the_name_is_written(self, same):
        shut(visitor(), "bob")
        assert not passes(visitor(), same)

    def test_each_limit_and_each_visitor_counts_for_itself(self):
        shut(visitor(), "bob")
        assert passes(visitor(), "bob", limit=limits.RESET)
        assert passes(visitor("192.0.2.2"), "bob")


class TestOneVisitor:
    def test_is_held_up_whatever_account_they_try(self):
        assert [passes(visitor(), f"user{n}") for n in range(6)] == [True] * 5 + [False]

    @pytest.mark.parametrize(
        ("one", "other", "same"),
        [
            ("192.0.2.1", "192.0.2.2", False),
            ("2001:db8::1", "2001:db8::ffff:1", True),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
            ("fe80::1%eth0", "fe80::2%eth1", True),
            ("::ffff:192.0.2.1", "192.0.2.1", True),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ],
    )
    def test_is_an_address_or_the_first_half_of_one(self, one, other, same):
        shut(visitor(one), limit=LIMIT)
        assert passes(visitor(other)) is not same

    def test_is_nobody_where_the_server_tells_no_address(self):
        """All visitors would be one: anybody could hold up everybody. What is left is the account's own limit."""
        for none in ("", "unknown"):
            assert all(passes(visitor(none), f"user{n}") for n in range(6))
        assert shut(visitor(""), "bob") == 8


class TestOneAccount:
    def test_is_slow_for_whoever_comes_from_many_places_and_never_for_long(self):
        assert [passes(visitor(f"192.0.2.{n}"), "bob") for n in range(9)] == [True] * 8 + [False]
        for n in range(10, 20):
            cache.delete_many([key for key in self.keys() if key.endswith(":blocked")])
            assert passes(visitor(f"192.0.2.{n}"), "bob")
            with pytest.raises(Throttled) as refused:
                hit(visitor("192.0.2.99"), LIMIT, "bob")
        assert refused.value.retry_after == 30

    def keys(self):
        return [key.split(":", 2)[2] for key in cache._cache]


class TestOneMailbox:
    LIMIT = Limit("a limit", by_mailbox=True, account=Rate(free=3, first=10, longest=900, window=DAY))

    def test_is_one_account_whatever_its_emails_are_and_whoever_has_an_account(self, db, django_user_model):
        user = django_user_model.objects.create_user("ada", "ada+1@example.org")
        accounts = (user, "ADA+2@example.org", "ada@EXAMPLE.org", "ada+3@example.org", "ada+@example.org")
        assert [passes(visitor(), account, self.LIMIT) for account in accounts] == [True] * 3 + [False] * 2

    @pytest.mark.parametrize("other", ["a.da@example.org", "ada@example.com", "+ada@example.org", "bob", "+@x.org"])
    def test_is_nobody_elses(self, other):
        shut(visitor(), "ada@example.org", self.LIMIT)
        assert passes(visitor(), other, self.LIMIT)

    @pytest.mark.parametrize("limit", [limits.SIGN_UP, limits.RESEND])
    def test_gets_so_many_mails(self, limit):
        tries = [passes(visitor(f"192.0.{n}.1"), f"ada+{n}@example.org", limit) for n in range(99)]
        assert sum(tries) == limit.account.free

    def test_is_no_way_to_keep_its_owner_from_a_new_password(self, bob):
        """Nobody gets a mail for a tagged email that has no account."""
        for n in range(99):
            passes(visitor(f"192.0.{n}.1"), f"bob+{n}@example.org", limits.RESET)
        assert passes(visitor(), bob, limits.RESET)


class TestManyPlaces:
    def test_of_one_ipv6_site_are_held_up_together(self):
        places = [f"2001:db8:0:{n:x}::1" for n in range(41)]
        assert [passes(visitor(place), f"user{n}") for n, place in enumerate(places)] == [True] * 40 + [False]
        assert passes(visitor("2001:db8:1::1"), "bob")

    def test_of_all_the_world_are_held_up_together_and_the_operator_is_told_once(self, caplog, bob):
        limit = replace(LIMIT, site=Rate(free=3, first=10, longest=10, window=DAY))
        own = remembering(visitor(), bob)
        passed = [passes(visitor(f"192.0.{n}.1"), f"user{n}", limit) for n in range(6)]
        assert passed == [True] * 3 + [False] * 3
        assert [line.levelname for line in caplog.records if "whole site" in line.message] == ["ERROR"]
        assert passes(own, bob, limit)


class TestThePersonsOwnBrowser:
    pytestmark = pytest.mark.django_db

    @pytest.fixture
    def own(self, bob):
        return remembering(visitor(), bob)

    def test_is_not_held_up_by_strangers_even_at_the_same_address(self, own, bob):
        for n in range(20):
            shut(visitor(f"192.0.2.{n}"), bob)
            passes(visitor(), f"user{n}")
        assert not passes(visitor(), bob)
        assert not passes(visitor(), "somebody")
        assert passes(own, bob)

    def test_is_held_up_by_itself(self, own, bob):
        assert shut(own, bob) == 2
        assert passes(visitor(), bob)

    def test_helps_nobody_at_another_account(self, own, bob, alice):
        shut(visitor(), alice)
        assert not passes(own, alice)

    def test_makes_no_difference_to_limits_that_know_no_visitors(self, own, bob):
        shut(own, bob, limits.USERNAME)
        assert not passes(visitor(), bob, limits.USERNAME)


class TestTheSameGuessAgain:
    def test_counts_once_at_the_account_and_for_the_visitor(self):
        assert all(passes(visitor(), "bob", guess="old") for _ in range(20))
        assert [passes(visitor(), "bob", guess=guess) for guess in ("a", "b")] == [True, False]
        assert [passes(visitor(), f"user{n}") for n in range(4)] == [True] * 3 + [False]

    def test_counts_at_another_account_and_for_another_visitor(self):
        assert passes(visitor(), "bob", guess="old")
        assert shut(visitor(), "alice") == 2
        assert all(passes(visitor(f"192.0.2.{n}"), "bob", guess="old") for n in range(2, 9))
        assert not passes(visitor("192.0.2.9"), "bob", guess="old")

    def test_counts_anew_after_ten_others_and_after_a_success(self, clock):
        limit = replace(LIMIT, visitor_and_account=Rate(free=12, first=10, longest=10, window=DAY), visitor=None)
        limit = replace(limit, account=None)
        assert all(passes(visitor(), "bob", limit, guess) for guess in [*"abcdefghijk", "a"])
        assert not passes(visitor(), "bob", limit, "k")  # the eleven and "a", which was forgotten
        reset(visitor(), limit, "bob")
        assert [passes(visitor(), "bob", limit, "k") for _ in range(20)] == [True] * 20

    def test_counts_where_the_server_tells_no_address(self):
        assert [passes(visitor(""), "bob", guess="old") for _ in range(9)] == [True] * 8 + [False]

    def test_is_known_while_the_cache_is_away(self, redis):
        redis.stop()
        assert all(passes(visitor(), "bob", guess="old") for _ in range(20))

    @pytest.mark.django_db
    def test_in_the_persons_own_browser_is_no_new_one_either(self, bob):
        own = remembering(visitor(), bob)
        assert all(passes(own, bob, guess="old") for _ in range(20))


class TestForgive:
    def test_the_account_is_as_before(self):
        for _ in range(20):
            hit(visitor(), LIMIT, "bob")
            reset(visitor(), LIMIT, "bob")

    def test_an_account_of_ones_own_buys_no_guesses_at_others(self):
        for n in range(3):
            hit(visitor(), LIMIT, f"victim{n}")
            hit(visitor(), LIMIT, "mine")
            reset(visitor(), LIMIT, "mine")
        assert [passes(visitor(), f"victim{n}") for n in range(3, 6)] == [True, True, False]


@pytest.mark.django_db
class TestOwner:
    def test_is_the_person_by_name_or_address_or_what_was_typed_at_one_query(self, bob, django_assert_num_queries):
        typed = {"BOB": bob, "Bob@Example.org": bob, "nobody": "nobody", "nobody@example.org": "nobody@example.org"}
        for name, key in typed.items():
            with django_assert_num_queries(1):
                assert account_key(name) == key

    @pytest.mark.parametrize(
        "name",
        [
            "bo\u200bb",
            "\uff42\uff4f\uff42",
            "\u24d1ob",
            "bob@\uff45xample.org",
            "bob@example\u3002org",
            "Bob@example.org",
        ],
    )
    def test_a_second_spelling_is_one_count_for_nobody_and_for_somebody_or_it_would_tell(self, bob, name):
        nobodys = name.translate({ord("b"): "d", ord("B"): "D", 0xFF42: "\uff44", 0x24D1: "\u24d3"})
        assert "b" not in nobodys
        shut(visitor(), account_key("dod@example.org" if "@" in name else "dod"))
        shut(visitor("192.0.2.2"), account_key("bob"))
        assert not passes(visitor(), account_key(nobodys))
        assert not passes(visitor("192.0.2.2"), account_key(name))

    def test_nobodys_name_is_never_somebodys_count(self, bob):
        shut(visitor(), f"person {bob.pk}")
        assert passes(visitor(), bob)


class TestTheCache:
    def test_holds_no_name_and_no_address(self, db, bob):
        for account in (bob, "mallory@example.org"):
            passes(visitor(), account, guess="the old one")
            shut(visitor(), account)
        for key, value in cache._cache.items():
            assert re.fullmatch(r":1:throttle:[0-9a-f]{64}:(count|blocked|tried)", key)
            assert not any(told in value for told in (b"mallory", b"192.0", b"the old one"))

    def test_what_was_tried_is_of_no_use_without_the_secret_key(self, settings):
        found = []
        for settings.SECRET_KEY in ("x" * 50, "y" * 50):
            passes(visitor(), "bob", guess="old")
            found += [cache.get(key.split(":", 2)[2]) for key in cache._cache if key.endswith(":tried")]
            cache.clear()
        [[one], [other]] = found
        assert one != other
        assert re.fullmatch("[0-9a-f]{64}", one)

    def test_a_sign_in_costs_few_round_trips(self, bob, redis):
        client = cache._cache.get_client()
        before = client.info("stats")["total_commands_processed"]
        hit(visitor(), limits.SIGN_IN, bob, PASSWORD)
        reset(visitor(), limits.SIGN_IN, bob)
        assert client.info("stats")["total_commands_processed"] - before <= 20


@pytest.mark.parametrize(
    ("seconds", "told"), [(1, "1 second."), (99, "99 seconds."), (100, "2 minutes."), (121, "3 min")]
)
def test_a_refusal_says_when(seconds, told):
    assert f" {told}" in Throttled(seconds).sentence


class TestTheDocument:
    PAGE = (Path(site.BASE_DIR) / "docs/reference/accounts.md").read_text()

    def test_its_figures_are_these(self):
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in self.PAGE.splitlines()]
        table = {name: row[1:] for row in rows if len(row) == 4 for name in row[0].split(", ")}
        every = [value for value in vars(limits).values() if isinstance(value, Limit)]
        every.remove(limits.MAIL_LINK)  # it counts nothing
        assert len(every) == 18
        for limit in every:
            paces = (limit.visitor_and_account, limit.visitor, limit.account)
            assert table[limit.name] == [self.told(pace) for pace in paces], limit.name

    def test_so_is_that_of_repeats(self):
        assert f"That limit is {self.told(limits.SIGN_IN.repeats)}." in self.PAGE

    def test_one_visitor_with_the_right_password_leaves_room_for_the_owner(self):
        limit = limits.SIGNED_IN
        assert self.in_a_day(limit.visitor_and_account) / 24 < limit.account.free

    def test_so_are_those_of_the_whole_site(self):
        for limit in (limits.SIGN_UP, limits.RESET, limits.RESEND):
            assert f"{limit.name} {self.told(limit.site)}" in self.PAGE

    def test_so_many_wrong_passwords_fit_in_a_day(self):
        limit = limits.SIGN_IN
        for pace in (limit.visitor_and_account, limit.account, limit.visitor):
            assert f"about {self.in_a_day(pace):,}" in self.PAGE

    def told(self, pace):
        if pace is None:
            return "\N{EN DASH}"
        first, longest, window = map(self.span, (pace.first, pace.longest, pace.window))
        return f"{pace.free}; {first} to {longest}; {window}"

    def span(self, seconds):
        for unit, size in (("day", DAY), ("h", 3600), ("min", 60)):
            if seconds % size == 0:
                return f"{seconds // size} {unit}"
        return f"{seconds} s"

    def in_a_day(self, pace):
        """As many as there are free, then one after each pause, until the window is over; rounded."""
        passed, elapsed = pace.free, 0
        while elapsed < pace.window:
            elapsed += pace.pause(passed - 1)
            passed += 1
        passed = (passed - 1) * DAY // pace.window
        return round(passed, -1 if passed < 1000 else -2)
