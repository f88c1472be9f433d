"""What must always hold, one class for each promise."""

import random
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db.models.functions import Now

from tests.conftest import PASSWORD
from tests.tokens.clock import EXPIRED, SETTLED, copy_of, elapse, jar
from tests.tokens.racing import together
from tokens.core.rotation import Refresh
from tokens.models import RefreshToken

Reason = RefreshToken.Reason

pytestmark = pytest.mark.urls("tests.tokens.urls")


class TestInvariant1:
    """Fifty parallel requests with one expired access token: all answered and signed in, any order works next."""

    @pytest.fixture
    def answers(self, transactional_db, bob, signed_in):
        browser = signed_in(bob)
        elapse(EXPIRED, browser)
        browsers = [copy_of(browser) for _ in range(50)]
        names = together([lambda browser=browser: browser.get("/who/").content for browser in browsers])
        assert names == [b"bob"] * 50
        return browsers

    def test_each_gets_cookies_of_its_own_that_work_at_once_and_nothing_is_written(self, answers, name_on):
        assert len({jar(browser)["refresh"] for browser in answers}) == 50
        for browser in answers:
            del browser.cookies["__Host-access"]
            assert name_on(browser) == "bob"
        assert RefreshToken.objects.get().generation == 1

    def test_fifty_uses_of_the_one_that_came_last_change_one_row_once(self, answers, name_on):
        last = random.choice(answers)  # noqa: S311
        elapse(SETTLED, last)
        browsers = [copy_of(last) for _ in range(50)]
        assert together([lambda b=browser: b.get("/who/").content for browser in browsers]) == [b"bob"] * 50
        assert RefreshToken.objects.get().generation == 2
        elapse(EXPIRED, last)
        assert name_on(last) == "bob"


class TestInvariant2:
    """A refresh whose response was lost is repeated, at once or after a day."""

    def test_the_parent_is_still_good(self, visitor, name_on):
        elapse(EXPIRED, visitor)
        for _ in range(3):
            before = jar(visitor)
            assert name_on(visitor) == "bob"
            visitor.cookies.load({"__Host-access": before["access"], "__Host-refresh": before["refresh"]})
        elapse(23 * 3600, visitor)
        assert name_on(visitor) == "bob"


class TestInvariant3:
    """A thief and a victim who both use a copied jar are told apart at the victim's next settled use."""

    def both(self, signed_in, person):
        victim = signed_in(person)
        elapse(EXPIRED, victim)
        return victim, copy_of(victim)

    def test_the_thief_who_refreshes_is_found_once_the_victim_has_settled(self, bob, signed_in, name_on):
        victim, thief = self.both(signed_in, bob)
        assert [name_on(victim), name_on(thief)] == ["bob", "bob"]
        elapse(SETTLED, victim, thief)
        assert name_on(victim) == "bob"  # confirms the victim's child: the thief's is a dead sibling
        assert name_on(thief) == "nobody"
        assert RefreshToken.objects.get().reason == Reason.REUSED
        assert name_on(victim) == "nobody"

    def test_a_thief_who_waits_with_the_parent_is_found(self, bob, signed_in, name_on):
        victim, thief = self.both(signed_in, bob)
        assert name_on(victim) == "bob"
        elapse(SETTLED, victim, thief)
        assert name_on(victim) == "bob"
        elapse(3600, victim, thief)
        assert name_on(thief) == "nobody"
        assert RefreshToken.objects.get().reason == Reason.REUSED

    def test_every_token_that_a_parasite_ever_got_is_dead_after_the_victims_settled_use(self, bob, signed_in, name_on):
        victim, parasite = self.both(signed_in, bob)
        assert name_on(victim) == "bob"
        loot = [parasite]
        for _ in range(5):
            stolen = copy_of(parasite)
            assert name_on(stolen) == "bob"
            loot.append(stolen)
        elapse(SETTLED, victim, *loot)
        assert name_on(victim) == "bob"
        assert [stolen.get("/who/").status_code for stolen in loot] == [307] * 6  # who declines the probe gets no page
        assert RefreshToken.objects.get().is_live
        assert [name_on(stolen) for stolen in loot] == ["nobody"] * 6
        assert not RefreshToken.objects.get().is_live

    @pytest.mark.parametrize(("revokes", "elsewhere"), [("all", "nobody"), ("family", "bob")])
    def test_reuse_ends_what_is_set_and_nobody_elses(
        self, alice, bob, signed_in, name_on, settings, revokes, elsewhere
    ):
        settings.TOKENS_REUSE_REVOKES = revokes
        victim, thief = self.both(signed_in, bob)
        others = [signed_in(bob), signed_in(alice)]
        assert [name_on(victim), name_on(thief)] == ["bob", "bob"]
        elapse(SETTLED, victim, thief, *others)
        assert name_on(victim) == "bob"
        assert [name_on(thief), name_on(victim)] == ["nobody", "nobody"]
        assert [name_on(browser) for browser in others] == [elsewhere, "alice"]


class TestInvariant4:
    """Sign-in, refresh, logout, password reset, deactivation and deletion at once: nobody stays who should not."""

    ROUNDS = 12

    def endings(self, person):
        people = get_user_model().objects

        def reset():
            changed = people.get(pk=person.pk)
            changed.set_password("another battery horse")
            changed.save()

        def deactivate():
            changed = people.get(pk=person.pk)
            changed.is_active = False
            changed.save()

        return {
            "reset": reset,
            "deactivation": deactivate,
            "deletion": lambda: people.get(pk=person.pk).delete(),
        }

    @pytest.mark.parametrize("ending", ["reset", "deactivation", "deletion"])
    def test_no_sign_in_or_refresh_survives(self, transactional_db, django_user_model, signed_in, name_on, ending):
        for number in range(self.ROUNDS):
            person = django_user_model.objects.create_user(f"p{number}", f"p{number}@example.org", PASSWORD)
            browser, newcomer = signed_in(person), type(signed_in(person))()
            elapse(EXPIRED, browser)
            others = [copy_of(browser) for _ in range(3)]
            together(
                [
                    self.endings(person)[ending],
                    lambda p=person, n=newcomer: n.post("/log-in/", {"username": p.username, "password": PASSWORD}),
                    *(lambda b=other: b.get("/who/") for other in others),
                ]
            )
            # A sign-in that came after a mere reset would need the new password: no old one may be live.
            assert [name_on(b, "/guarded/") for b in (browser, newcomer, *others)] == ["nobody"] * 5
            assert not RefreshToken.objects.filter(user=person).live().exists()

    def test_logout_beside_refreshes_ends_the_row(self, transactional_db, bob, signed_in, name_on):
        for _ in range(self.ROUNDS):
            browser = signed_in(bob)
            elapse(EXPIRED, browser)
            others = [copy_of(browser) for _ in range(3)]
            together([lambda b=browser: b.post("/log-out/"), *(lambda b=other: b.get("/who/") for other in others)])
            assert [name_on(b, "/guarded/") for b in others] == ["nobody"] * 3
        assert not RefreshToken.objects.live().exists()


class TestInvariant5:
    """Revoked is for ever."""

    def test_nothing_revives_a_row(self, visitor, name_on):
        elapse(EXPIRED, visitor)
        child = copy_of(visitor)
        assert name_on(child) == "bob"
        row = RefreshToken.objects.get()
        assert row.revoke(Reason.ENDED)
        ended_at = RefreshToken.objects.get().revoked_at
        elapse(SETTLED, visitor, child)
        assert [name_on(b) for b in (visitor, child, child)] == ["nobody"] * 3
        assert not RefreshToken.objects.confirm(str(row.pk), Refresh(9, str(uuid4())))
        assert not row.revoke(Reason.REUSED)
        row.refresh_from_db()
        assert (row.revoked_at, row.reason, row.generation) == (ended_at, Reason.ENDED, 1)


class TestInvariant8:
    """A good access token costs no query; a refresh one SELECT; a generation one UPDATE that changes a row.

    A response that sets cookies looks at its row once more on the way out, unless it confirms there.
    """

    LOOK = "SELECT 1 "

    def test_a_refresh_costs_one_select_and_a_look(self, visitor, django_assert_num_queries):
        elapse(EXPIRED, visitor)
        with django_assert_num_queries(2) as queries:
            assert visitor.get("/closed/").content == b"bob GET "
        assert queries[0]["sql"].startswith("SELECT")
        assert queries[1]["sql"].startswith(self.LOOK) and " JOIN " not in queries[1]["sql"]

    def test_a_refresh_after_an_hour_stamps_the_row_as_well(self, visitor, django_assert_num_queries):
        elapse(3700, visitor)
        with django_assert_num_queries(3) as queries:
            visitor.get("/closed/")
        assert queries[1]["sql"].startswith("UPDATE")

    def test_a_generation_is_confirmed_by_one_update_and_then_costs_nothing(self, visitor, django_assert_num_queries):
        elapse(EXPIRED, visitor)
        visitor.get("/closed/")
        elapse(SETTLED, visitor)
        with django_assert_num_queries(2) as queries:
            visitor.get("/closed/")
        assert queries[0]["sql"].startswith("UPDATE") and queries[1]["sql"].startswith(self.LOOK)
        with django_assert_num_queries(0):
            visitor.get("/closed/")


class TestInvariant10:
    """Ending a session anywhere ends it everywhere within the lag, and at once on the pages that guard the account."""

    def elsewhere(self):
        """Another process ends every session."""
        RefreshToken.objects.update(revoked_at=Now(), changed_at=Now(), reason=Reason.ENDED)

    @pytest.fixture(autouse=True)
    def lag(self, settings):
        settings.TOKENS_REVOCATION_LAG = 3600

    def test_within_the_lag(self, visitor, name_on, settings):
        assert name_on(visitor) == "bob"
        self.elsewhere()
        assert name_on(visitor) == "bob"  # or the test would not see the lag
        settings.TOKENS_REVOCATION_LAG = 0  # which has passed
        assert name_on(visitor) == "nobody"

    def test_at_once_on_guarded_pages(self, visitor, name_on):
        assert name_on(visitor) == "bob"
        self.elsewhere()
        assert name_on(visitor, "/guarded/") == "nobody"

    def test_at_once_in_the_process_that_ended_it(self, visitor, name_on):
        assert name_on(visitor) == "bob"
        RefreshToken.objects.get().revoke(Reason.ENDED)
        assert name_on(visitor) == "nobody"
