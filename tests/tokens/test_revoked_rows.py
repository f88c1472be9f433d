"""The revocation list against the rows themselves, by the database's clock."""

from datetime import timedelta
from time import monotonic

import pytest
from django.db.models.functions import Now

from tokens.models import RefreshToken, querysets
from tokens.revocation import OVERLAP, LocalRevocationList, local_revocation_list


@pytest.fixture
def row(bob):
    return RefreshToken.objects.start(bob)


class TestLive:
    def test_a_row_that_was_revoked_or_is_past_its_end_is_not(self, row, bob):
        RefreshToken.objects.start(bob).revoke(RefreshToken.Reason.ENDED)
        assert RefreshToken.objects.live().get() == row
        RefreshToken.objects.update(expires_at=Now() - timedelta(minutes=1))
        assert not RefreshToken.objects.live().exists()


class TestChangedWithin:
    def changed(self, row, seconds):
        RefreshToken.objects.filter(pk=row.pk).update(changed_at=Now() - timedelta(seconds=seconds))

    def within(self, seconds):
        return [key for key, _ in RefreshToken.objects.changed_within(seconds)]

    def test_what_changed_within_these_seconds_and_no_row_that_never_did(self, row):
        assert self.within(10**6) == []
        for seconds in (61.5, 86400 * 40):
            self.changed(row, seconds - 30)
            assert self.within(seconds) == [row.pk]
            self.changed(row, seconds + 30)
            assert self.within(seconds) == []

    def test_a_moment_ago_is_told_to_the_fraction_of_a_second(self, row):
        self.changed(row, 0.5)
        assert self.within(60) == [row.pk]
        assert self.within(0.25) == []

    def test_an_end_and_a_bump_are_changes(self, row):
        RefreshToken.objects.filter(pk=row.pk).bump()
        [(key, bumped_at)] = RefreshToken.objects.changed_within(60)
        assert key == row.pk
        row.revoke(RefreshToken.Reason.ENDED)
        [(key, ended_at)] = RefreshToken.objects.changed_within(60)
        assert ended_at >= bumped_at

    def test_a_transaction_that_took_long_tells_it_when_it_commits(self, row, monkeypatch, committing):
        with committing():
            row.revoke(RefreshToken.Reason.ENDED)
            self.changed(row, OVERLAP + 5)
            monkeypatch.setattr(querysets, "monotonic", lambda: monotonic() + OVERLAP + 5)
            assert self.within(OVERLAP) == []
        assert self.within(5) == [row.pk]

    def test_another_process_hears_of_it_by_one_query_and_this_one_at_once(self, row, django_assert_num_queries):
        row.revoke(RefreshToken.Reason.ENDED)
        assert local_revocation_list.entry(str(row.pk), lambda seconds: ())
        elsewhere = LocalRevocationList()
        with django_assert_num_queries(1):
            for _ in range(5):
                assert elsewhere.entry(str(row.pk), RefreshToken.objects.changed_within)


@pytest.mark.urls("tests.tokens.urls")
def test_a_change_that_sends_no_signal_counts_at_once_with_its_verb(bob, alice, signed_in, name_on):
    browser, other = signed_in(bob), signed_in(alice)
    type(bob).objects.filter(pk=bob.pk).update(username="robert")
    assert name_on(browser) == "bob"
    assert RefreshToken.objects.bump_for([bob]) == 1
    assert [name_on(browser), name_on(other)] == ["robert", "alice"]
    assert RefreshToken.objects.revoke_for([bob]) == 1
    assert [name_on(browser), name_on(other)] == ["nobody", "alice"]
    assert RefreshToken.objects.get(user=bob).reason == RefreshToken.Reason.ADMIN
