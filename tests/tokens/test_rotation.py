from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokens.core.rotation import AccessOutcome, Outcome, Refresh, born_at, decide, decide_access, new_jti, settled

NOW = 1_700_000_000.0
AFTER = 120.0


def at(generation, age):
    """A refresh token of this generation that was made `age` seconds ago."""
    return Refresh(generation, new_jti(NOW - age))


BORN_WITH = at(5, AFTER)


class TestDecide:
    """The table of the rule, row by row."""

    def outcome(self, row, presented):
        return decide(row, presented, NOW, AFTER)

    def test_the_confirmed_token_gets_a_child_however_old_it_is(self):
        for row in (at(4, 0), at(4, 10**6)):
            assert self.outcome(row, row) is Outcome.CHILD

    @pytest.mark.parametrize("generation", [5, 9])
    def test_a_young_token_ahead_is_kept_even_one_from_a_clock_that_is_ahead(self, generation):
        for age in (119.9, -60):
            assert self.outcome(at(4, 900), at(generation, age)) is Outcome.KEEP

    def test_a_successor_that_is_old_enough_is_confirmed_and_without_a_wait_at_once(self):
        assert self.outcome(at(4, 900), at(5, 120)) is Outcome.CONFIRM
        assert decide(at(4, 900), at(5, 0), NOW, 0) is Outcome.CONFIRM

    @pytest.mark.parametrize("generation", [6, 1000])
    def test_one_more_than_one_ahead_says_that_the_database_is_behind(self, generation):
        assert self.outcome(at(4, 900), at(generation, 120)) is Outcome.BEHIND

    @pytest.mark.parametrize("generation", [4, 3, 0])
    def test_a_sibling_or_an_ancestor_is_stale_however_old_it_is(self, generation):
        for age in (0, 10**6):
            assert self.outcome(at(4, 900), at(generation, age)) is Outcome.STALE

    def test_an_ancestor_by_the_name_of_the_confirmed_token_is_stale(self):
        row = at(4, 900)
        assert self.outcome(row, Refresh(3, row.jti)) is Outcome.STALE


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

    @whatever(row=tokens, presented=tokens, now=moments, later=st.floats(0, 10**6), wait=waits)
    def test_time_confirms_and_never_takes_back(self, row, presented, now, later, wait):
        before, after = decide(row, presented, now, wait), decide(row, presented, now + later, wait)
        assert before is after or (before is Outcome.KEEP and after in (Outcome.CONFIRM, Outcome.BEHIND))


class TestSettled:
    @pytest.mark.parametrize(("age", "expected"), [(-60, False), (119.9, False), (120, True)])
    def test_a_token_has_settled_once_it_is_old_enough(self, age, expected):
        assert settled(new_jti(NOW - age), NOW, AFTER) is expected


class TestDecideAccess:
    """Of an access token born with a refresh token of generation 5, which the row may not have confirmed."""

    def outcome(self, row=None, *, new=True, beside=None, born_with=BORN_WITH):
        return decide_access(row, born_with, new=new, beside=beside, now=NOW, confirm_after=AFTER)

    def test_a_confirmed_or_a_young_one_is_accepted(self):
        assert self.outcome(new=False, beside="") is AccessOutcome.ACCEPT
        assert self.outcome(beside="", born_with=at(5, 119.9)) is AccessOutcome.ACCEPT

    def test_beside_its_own_refresh_token_it_confirms_and_beside_any_other_it_counts_as_expired(self):
        assert self.outcome(beside=BORN_WITH.jti) is AccessOutcome.CONFIRM
        for other in ("", new_jti(NOW)):
            assert self.outcome(beside=other) is AccessOutcome.EXPIRED

    def test_without_a_jar_the_row_decides(self):
        assert self.outcome() is AccessOutcome.ASK_ROW
        for row in (BORN_WITH, at(4, 900)):
            assert self.outcome(row) is AccessOutcome.ACCEPT
        for row in (at(5, 900), at(3, 900), at(6, 900)):
            assert self.outcome(row) is AccessOutcome.EXPIRED


class TestNewJti:
    @whatever(moment=moments)
    def test_it_is_a_uuid_of_version_7_in_its_canonical_form_at_any_moment(self, moment):
        jti = new_jti(moment)
        assert (UUID(jti).version, UUID(jti).variant) == (7, "specified in RFC 4122")
        assert str(UUID(jti)) == jti

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


class TestBornAt:
    @whatever(moment=moments)
    def test_it_tells_the_moment_of_birth_to_the_millisecond(self, moment):
        assert 0 <= moment - born_at(new_jti(moment)) < 0.00101
