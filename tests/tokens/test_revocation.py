import threading
from datetime import UTC, datetime, timedelta
from time import sleep
from uuid import uuid4

import pytest
from django.db import DatabaseError, InterfaceError, OperationalError

from tests.tokens.racing import together
from tokens import revocation
from tokens.core.exceptions import RevocationListUnavailable
from tokens.revocation import LocalRevocationList

LAG, GRACE, LIFETIME = 1, 60, 900
CHANGED = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    """The monotonic clock of the module, at a moment that a test chooses."""

    now = 1000.0

    def __call__(self):
        return self.now


class Table:
    """A stand-in for the rows: what it is asked, and what it answers. Its rows are never out of the window."""

    def __init__(self):
        self.rows = {}
        self.asked = []
        self.error = None

    def __call__(self, seconds):
        self.asked.append(seconds)
        if self.error:
            raise self.error
        return list(self.rows.items())


@pytest.fixture(autouse=True)
def clock(monkeypatch, settings):
    settings.TOKENS_REVOCATION_LAG = LAG
    settings.TOKENS_REVOCATION_GRACE = GRACE
    settings.TOKENS_ACCESS_LIFETIME = LIFETIME
    clock = Clock()
    monkeypatch.setattr(revocation, "monotonic", clock)
    return clock


@pytest.fixture
def table():
    return Table()


@pytest.fixture
def known():
    """The list of a process that has just started."""
    return LocalRevocationList()


class TestEntry:
    def test_a_row_that_changed_has_one_and_another_has_none(self, known, table):
        table.rows = {"a": CHANGED}
        assert known.entry("a", table).change == CHANGED
        assert known.entry("b", table) is None

    def test_ids_are_known_by_their_text(self, known, table):
        key = uuid4()
        table.rows = {key: CHANGED}
        assert known.entry(str(key), table)

    def test_it_stays_the_same_until_the_row_changes_again(self, known, table, clock):
        table.rows = {"a": CHANGED}
        first = known.entry("a", table)
        clock.now += 2 * LAG
        assert known.entry("a", table) is first
        table.rows = {"a": CHANGED + timedelta(seconds=1)}
        clock.now += 2 * LAG
        second = known.entry("a", table)
        assert second is not first
        assert second.change != first.change


class TestHowOftenItAsks:
    def test_at_most_once_in_every_lag(self, known, table, clock):
        for _ in range(10):
            known.entry("a", table)
        assert len(table.asked) == 1
        clock.now += LAG - 0.001
        known.entry("a", table)
        assert len(table.asked) == 1
        clock.now += 0.001
        known.entry("a", table)
        assert len(table.asked) == 2

    def test_without_a_lag_each_time(self, known, table, settings):
        settings.TOKENS_REVOCATION_LAG = 0
        for _ in range(5):
            known.entry("a", table)
        assert len(table.asked) == 5

    def test_the_whole_window_once_a_minute_and_increments_between(self, known, table, clock):
        for _ in range(122):
            known.entry("a", table)
            clock.now += 1
        whole = [place for place, seconds in enumerate(table.asked) if seconds == 2 * LIFETIME]
        assert whole == [0, 60, 120]
        assert {seconds for seconds in table.asked if seconds != 2 * LIFETIME} == {1 + revocation.OVERLAP}

    def test_an_increment_reaches_back_to_the_last_good_reading_and_a_minute_more(self, known, table, clock):
        known.entry("a", table)
        table.error = OperationalError("gone")
        for _ in range(3):
            clock.now += 10
            known.entry("a", table)
        table.error = None
        clock.now += 10
        known.entry("a", table)
        assert table.asked[1:] == [10 + 60, 20 + 60, 30 + 60, 40 + 60]

    def test_after_a_long_silence_it_reads_the_whole_window(self, known, table, clock):
        known.entry("a", table)
        clock.now += 10**6
        known.entry("a", table)
        assert table.asked == [2 * LIFETIME, 2 * LIFETIME]

    def test_a_whole_reading_that_failed_is_tried_again(self, known, table, clock):
        known.entry("a", table)
        clock.now += 60
        table.error = OperationalError("gone")
        known.entry("a", table)
        clock.now += 1
        table.error = None
        known.entry("a", table)
        assert table.asked == [2 * LIFETIME] * 3


class TestMark:
    def test_a_change_made_here_counts_at_once_and_asks_nobody(self, known, table):
        known.entry("a", table)
        known.mark(["a", "b"])
        assert known.entry("a", table).change is None
        assert known.entry("b", table)
        assert len(table.asked) == 1

    def test_a_mark_is_an_entry_of_its_own(self, known, table):
        table.rows = {"a": CHANGED}
        before = known.entry("a", table)
        known.mark(["a"])
        assert known.entry("a", table) is not before

    def test_a_reading_that_began_before_does_not_undo_it(self, known, table, clock):
        def read(seconds):
            rows = table(seconds)
            known.mark(["a"])  # while the answer is on its way
            return rows

        assert known.entry("a", read)
        clock.now += LAG
        assert known.entry("a", table)

    def test_nor_does_one_that_knows_an_older_change(self, known, table, clock):
        table.rows = {"a": CHANGED}
        known.entry("a", table)
        known.mark(["a"])
        clock.now += LAG
        assert known.entry("a", table)

    def test_many_threads_may_mark_and_ask_at_once(self, known, table, settings):
        settings.TOKENS_REVOCATION_LAG = 0
        table.rows = {f"row {number}": CHANGED for number in range(200)}

        def mark(name):
            for number in range(200):
                known.mark([f"{name} {number}"])
                assert known.entry(f"{name} {number}", table)

        together([lambda name=name: mark(name) for name in "abcd"])
        assert all(known.known(f"{name} {number}") for name in "abcd" for number in range(200))


class TestKnown:
    def test_it_never_asks(self, known):
        assert known.known("a") is None
        known.mark(["a"])
        assert known.known("a")

    def test_it_has_what_others_heard(self, known, table):
        table.rows = {"a": CHANGED}
        assert known.entry("b", table) is None
        assert known.known("a").change == CHANGED


class TestForget:
    def test_it_starts_anew(self, known, table):
        known.entry("a", table)
        known.mark(["a"])
        known.forget()
        assert known.entry("a", table) is None
        assert table.asked == [2 * LIFETIME] * 2


class TestHowLongAnEntryIsKept:
    def after(self, known, table, clock, seconds):
        """The entry for `a` once `seconds` more have passed, in which the list was asked again and again."""
        entry = None
        for _ in range(int(seconds) // 10):
            clock.now += 10
            entry = known.entry("a", table)
        return entry

    def test_one_lifetime_and_a_minute_from_when_it_was_heard(self, known, table, clock):
        table.rows = {"a": CHANGED}
        known.entry("a", table)
        table.rows = {}
        assert self.after(known, table, clock, LIFETIME + 60)
        assert self.after(known, table, clock, 70) is None

    def test_a_mark_as_long(self, known, table, clock):
        known.entry("b", table)
        known.mark(["a"])
        assert self.after(known, table, clock, LIFETIME + 60)
        assert self.after(known, table, clock, 70) is None

    def test_a_newer_change_counts_from_then_on(self, known, table, clock):
        table.rows = {"a": CHANGED}
        known.entry("a", table)
        assert self.after(known, table, clock, LIFETIME)
        table.rows = {"a": CHANGED + timedelta(hours=1)}
        assert self.after(known, table, clock, 10)
        table.rows = {}
        assert self.after(known, table, clock, LIFETIME)

    def test_a_change_that_is_still_in_the_window_is_not_heard_of_once_more(self, known, table, clock):
        """The window is two lifetimes long: a row would otherwise be asked for three, at each request."""
        table.rows = {"a": CHANGED}
        known.entry("a", table)
        assert self.after(known, table, clock, LIFETIME + 60)
        assert self.after(known, table, clock, 70) is None
        assert self.after(known, table, clock, LIFETIME - 200) is None

    def test_nothing_is_kept_for_ever(self, known, table, clock):
        known.mark(str(number) for number in range(1000))
        self.after(known, table, clock, 3 * LIFETIME)
        assert not known._entries


class TestWhenNobodyAnswers:
    def test_a_process_that_never_read_says_so_at_once(self, known, table):
        table.error = OperationalError("gone")
        with pytest.raises(RevocationListUnavailable, match=r"^The revocation list could not be read for too long\.$"):
            known.entry("a", table)

    @pytest.mark.parametrize("error", [OperationalError, InterfaceError, DatabaseError])
    def test_for_a_while_it_goes_by_what_it_knows(self, known, table, clock, error):
        table.rows = {"a": CHANGED}
        known.entry("a", table)
        table.error = error("gone")
        clock.now += LAG + GRACE
        assert known.entry("a", table)
        assert known.entry("b", table) is None
        clock.now += 0.001
        with pytest.raises(RevocationListUnavailable):
            known.entry("b", table)
        with pytest.raises(RevocationListUnavailable):
            known.entry("a", table)

    def test_without_a_grace_only_for_the_lag(self, known, table, clock, settings):
        settings.TOKENS_REVOCATION_GRACE = 0
        known.entry("a", table)
        table.error = OperationalError("gone")
        clock.now += LAG
        assert known.entry("a", table) is None
        clock.now += 0.001
        with pytest.raises(RevocationListUnavailable):
            known.entry("a", table)

    def test_it_heals_by_itself(self, known, table, clock):
        table.error = OperationalError("gone")
        with pytest.raises(RevocationListUnavailable):
            known.entry("a", table)
        table.error, table.rows = None, {"a": CHANGED}
        clock.now += LAG
        assert known.entry("a", table)

    def test_it_asks_no_more_often_than_otherwise(self, known, table, clock):
        table.error = OperationalError("gone")
        for _ in range(10):
            with pytest.raises(RevocationListUnavailable):
                known.entry("a", table)
        assert len(table.asked) == 1

    def test_an_answer_that_breaks_off_is_none(self, known, table, clock):
        def broken(seconds):
            yield "a", CHANGED
            raise OperationalError("gone")

        with pytest.raises(RevocationListUnavailable):
            known.entry("a", broken)
        clock.now += LAG
        known.entry("a", table)
        assert table.asked == [2 * LIFETIME]

    def test_an_error_that_is_not_the_databases_comes_out(self, known):
        def wrong(seconds):
            raise TypeError

        with pytest.raises(TypeError):
            known.entry("a", wrong)


class Slow(Table):
    """Answers when it is let."""

    def __init__(self):
        super().__init__()
        self.began, self.go = threading.Event(), threading.Event()

    def __call__(self, seconds):
        self.began.set()
        assert self.go.wait(10)
        return super().__call__(seconds)


class TestManyThreads:
    def ask_while_reading(self, known, table):
        """What a second thread is told that comes while the first is reading: an entry, or an error."""
        told = []

        def ask():
            try:
                told.append(known.entry("a", table))
            except RevocationListUnavailable as error:
                told.append(error)

        first, second = threading.Thread(target=ask), threading.Thread(target=ask)
        first.start()
        assert table.began.wait(10)
        second.start()
        second.join(0.2)  # it may answer at once, or wait for the first
        table.go.set()
        for thread in (first, second):
            thread.join(10)
        return told

    def test_they_cause_one_reading(self, known, table):
        table.rows = {"a": CHANGED}
        entries = together([lambda: known.entry("a", table)] * 20)
        assert len(table.asked) == 1
        assert len(set(entries)) == 1

    def test_without_a_lag_each_hears_of_what_changed_before_it_asked(self, known, settings):
        settings.TOKENS_REVOCATION_LAG = 0
        rows = {}

        def read(seconds):
            seen = list(rows.items())
            sleep(0.001)
            return seen

        def change_and_ask(name):
            rows[name] = CHANGED
            assert known.entry(name, read)

        together([lambda name=name: change_and_ask(name) for name in map(str, range(20))])

    def test_a_second_request_of_a_new_process_waits_for_the_first_reading(self, known):
        table = Slow()
        table.rows = {"a": CHANGED}
        assert [entry.change for entry in self.ask_while_reading(known, table)] == [CHANGED] * 2
        assert len(table.asked) == 1

    def test_so_does_one_after_a_silence_longer_than_the_grace(self, known, table, clock):
        known.entry("a", table)
        clock.now += 10 * GRACE
        slow = Slow()
        slow.rows = {"a": CHANGED}
        assert [entry.change for entry in self.ask_while_reading(known, slow)] == [CHANGED] * 2

    def test_a_slow_reading_holds_nobody_up_while_what_is_known_is_good(self, known, table, clock):
        known.entry("a", table)
        clock.now += LAG
        slow = Slow()
        reader = threading.Thread(target=known.entry, args=("a", slow))
        reader.start()
        assert slow.began.wait(10)
        assert known.entry("b", slow) is None
        slow.go.set()
        reader.join(10)
