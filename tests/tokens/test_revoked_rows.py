"""The revocation list against the rows themselves, by the database's clock."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from tokens.models import RefreshToken
from tokens.revocation import LocalRevocationList, local_revocation_list


@pytest.fixture
def known():
    """The list of a process that has just started."""
    return LocalRevocationList()


class TestChangedWithin:
    @pytest.fixture
    def row(self, bob):
        return RefreshToken.objects.start(bob)

    def changed(self, row, seconds):
        RefreshToken.objects.filter(pk=row.pk).update(changed_at=Now() - timedelta(seconds=seconds))

    def within(self, seconds):
        return [key for key, _ in RefreshToken.objects.changed_within(seconds)]

    def test_a_row_that_never_changed_is_not_among_them(self, row):
        assert self.within(10**6) == []

    @pytest.mark.parametrize("seconds", [60, 61.5, 1800, 86400 * 40])
    def test_what_changed_within_these_seconds(self, row, seconds):
        self.changed(row, seconds - 5)
        assert self.within(seconds) == [row.pk]
        self.changed(row, seconds + 5)
        assert self.within(seconds) == []

    def test_a_moment_ago_is_told_to_the_fraction_of_a_second(self, row):
        self.changed(row, 0.5)
        assert self.within(5) == [row.pk]
        assert self.within(0.25) == []

    def test_an_end_and_a_bump_are_changes(self, row):
        RefreshToken.objects.filter(pk=row.pk).bump()
        [(key, bumped_at)] = RefreshToken.objects.changed_within(60)
        assert key == row.pk
        row.revoke(RefreshToken.Reason.ENDED)
        [(key, ended_at)] = RefreshToken.objects.changed_within(60)
        assert ended_at >= bumped_at

    def test_another_process_hears_of_it(self, row, known):
        assert known.entry(str(row.pk), RefreshToken.objects.changed_within) is None
        RefreshToken.objects.filter(pk=row.pk).update(changed_at=Now())
        known.forget()
        assert known.entry(str(row.pk), RefreshToken.objects.changed_within)

    def test_this_process_hears_of_it_at_once(self, row):
        row.revoke(RefreshToken.Reason.ENDED)
        assert local_revocation_list.known(str(row.pk))

    def test_a_reading_is_one_query(self, row, known, django_assert_num_queries):
        with django_assert_num_queries(1):
            for _ in range(5):
                known.entry(str(row.pk), RefreshToken.objects.changed_within)
