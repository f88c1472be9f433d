from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokens.core.rotation import Outcome, Refresh, born_at, decide, new_jti, settled

NOW = 1_700_000_000.0
AFTER = 120.0


def at(generation, age):
    """A refresh token of this generation that was made `age` seconds ago."""
    return Refresh(generation, new_jti(NOW - age))


class TestDecide:
    """The table of the rule, row by row."""

    def outcome(self, row, presented):
        return decide(row, presented, NOW, AFTER)

    @pytest.mark.parametrize("age", [0, 119, 121, 10**6])
    def test_the_confirmed_token_gets_a_child_however_old_it_is(self, age):
        row = at(4, age)
        assert self.outcome(row, row) is Outcome.CHILD

    def test_a_young_successor_is_kept(self):
        assert self.outcome(at(4, 900), at(5, 119.9)) is Outcome.KEEP

    def test_a_young_token_further_ahead_is_kept(self):
        assert self.outcome(at(4, 900), at(9, 1)) is Outcome.KEEP

    def test_a_successor_that_is_old_enough_is_confirmed(self):
        assert self.outcome(at(4, 900), at(5, 120)) is Outcome.CONFIRM

    @pytest.mark.parametrize("generation", [6, 7, 1000])
    def test_one_more_than_one_ahead_says_that_the_database_is_behind(self, generation):
        assert self.outcome(at(4, 900), at(generation, 120)) is Outcome.BEHIND

    @pytest.mark.parametrize("age", [0, 119, 121, 10**6])
    def test_a_sibling_of_the_confirmed_token_is_stale(self, age):
        assert self.outcome(at(4, 900), at(4, age)) is Outcome.STALE

    @pytest.mark.parametrize("age", [0, 119, 121, 10**6])
    @pytest.mark.parametrize("generation", [0, 1, 3])
    def test_an_ancestor_is_stale(self, generation, age):
        assert self.outcome(at(4, 900), at(generation, age)) is Outcome.STALE

    def test_an_ancestor_by_the_name_of_the_confirmed_token_is_stale(self):
        row = at(4, 900)
        assert self.outcome(row, Refresh(3, row.jti)) is Outcome.STALE

    def test_a_token_from_a_clock_that_is_ahead_is_kept(self):
        assert self.outcome(at(4, 900), at(5, -60)) is Outcome.KEEP

    def test_without_a_wait_a_successor_is_confirmed_at_once(self):
        assert decide(at(4, 900), at(5, 0), NOW, 0) is Outcome.CONFIRM


generations = st.integers(0, 2**53 - 1)
near = st.integers(0, 6)
moments = st.floats(0, 2**42 / 1000, allow_nan=False)
waits = st.floats(0, 1000, allow_nan=False)
tokens = st.builds(Refresh, near | generations, st.builds(new_jti, moments) | st.uuids().map(str))


def whatever(**strategies):
    """Hypothesis chooses; how long one choice takes on a busy machine says nothing."""
    return lambda test: settings(deadline=None)(given(**strategies)(test))


class TestDecideWhateverComes:
    @whatever(row=tokens, presented=tokens, now=moments, wait=waits)
    def test_there_is_an_outcome_for_every_pair(self, row, presented, now, wait):
        assert decide(row, presented, now, wait) in Outcome

    @whatever(row=tokens, presented=tokens, now=moments, wait=waits)
    def test_nothing_at_or_below_the_row_is_worth_anything_but_the_confirmed_token_itself(
        self, row, presented, now, wait
    ):
        outcome = decide(row, presented, now, wait)
        if presented == row:
            assert outcome is Outcome.CHILD
        elif presented.generation <= row.generation:
            assert outcome is Outcome.STALE
        else:
            assert outcome in (Outcome.KEEP, Outcome.CONFIRM, Outcome.BEHIND)

    @whatever(born=st.lists(moments, min_size=2, max_size=8), generation=near, now=moments, wait=waits)
    def test_one_confirmed_sibling_makes_all_others_and_their_parent_stale(self, born, generation, now, wait):
        parent = Refresh(generation, str(uuid4()))
        confirmed, *others = [Refresh(generation + 1, new_jti(moment)) for moment in born]
        assert {decide(confirmed, other, now, wait) for other in (*others, parent)} == {Outcome.STALE}

    @whatever(row=tokens, presented=tokens, now=moments, later=st.floats(0, 10**6), wait=waits)
    def test_time_confirms_and_never_takes_back(self, row, presented, now, later, wait):
        before, after = decide(row, presented, now, wait), decide(row, presented, now + later, wait)
        assert before is after or (before is Outcome.KEEP and after in (Outcome.CONFIRM, Outcome.BEHIND))

    @whatever(row=tokens, presented=tokens, now=moments, wait=waits)
    def test_what_is_confirmed_gets_a_child_from_then_on(self, row, presented, now, wait):
        if decide(row, presented, now, wait) in (Outcome.CONFIRM, Outcome.BEHIND):
            assert decide(presented, presented, now, wait) is Outcome.CHILD
            assert decide(presented, row, now, wait) is Outcome.STALE


class TestSettled:
    @pytest.mark.parametrize(
        ("age", "expected"), [(-60, False), (0, False), (119.9, False), (120, True), (10**6, True)]
    )
    def test_a_token_has_settled_once_it_is_old_enough(self, age, expected):
        assert settled(new_jti(NOW - age), NOW, AFTER) is expected

    @whatever(born=moments, now=moments, later=st.floats(0, 10**6), wait=waits)
    def test_what_has_settled_stays_so(self, born, now, later, wait):
        jti = new_jti(born)
        assert settled(jti, now, wait) <= settled(jti, now + later, wait)


class TestNewJti:
    def test_it_is_a_uuid_of_version_7_in_its_canonical_form(self):
        jti = UUID(new_jti(NOW))
        assert (jti.version, jti.variant) == (7, "specified in RFC 4122")
        assert str(jti) == new_jti(NOW)[:14] + str(jti)[14:]

    def test_ten_thousand_of_one_moment_differ(self):
        assert len({new_jti(NOW) for _ in range(10_000)}) == 10_000

    def test_a_later_millisecond_sorts_after(self):
        made = [new_jti(NOW + step / 1000) for step in range(1000)]
        assert made == sorted(made)

    def test_every_random_bit_is_used(self):
        """48 bits of time, 4 of version and 2 of variant are fixed; 74 are not."""
        ones, noughts = 0, 2**128 - 1
        for _ in range(200):
            value = UUID(new_jti(NOW)).int
            ones, noughts = ones | value, noughts & value
        assert (ones & ~noughts).bit_count() == 74

    @whatever(moment=moments)
    def test_it_is_well_formed_at_any_moment(self, moment):
        jti = UUID(new_jti(moment))
        assert (jti.version, jti.variant) == (7, "specified in RFC 4122")


class TestBornAt:
    @whatever(moment=moments)
    def test_it_tells_the_moment_of_birth_to_the_millisecond(self, moment):
        assert 0 <= moment - born_at(new_jti(moment)) < 0.00101

    def test_the_random_bits_do_not_reach_it(self):
        assert {born_at(new_jti(NOW + 0.123)) for _ in range(1000)} == {NOW + 0.123}
