"""The revocation list of one process, by a clock and a table that a test sets."""

import threading
from datetime import UTC, datetime, timedelta
from time import sleep
from uuid import uuid4

import pytest
from django.db import DatabaseError, OperationalError

from tests.tokens.racing import together
from tokens import revocation
from tokens.core.exceptions import RevocationListUnavailable
from tokens.revocation import OVERLAP, LocalRevocationList

LAG, GRACE, LIFETIME = 1, 60, 900
WHOLE = 2 * LIFETIME
CHANGED = datetime(2026, 1, 1, tzinfo=UTC)
GONE = OperationalError("gone")


class Clock:
    """The monotonic clock of the module, at a moment that a test chooses."""

    now = 1000.0

    def __call__(self):
        return self.now


class Table:
    """A stand-in for the rows: what it is asked, and what it answers. Its rows are never out of the window."""

    def __init__(self, **rows):
        self.rows, self.asked, self.error = rows, [], None

    def __call__(self, seconds):
        self.asked.append(seconds)
        if self.error:
            raise self.error
        return list(self.rows.items())


class Slow(Table):
    """Answers when it is let."""

    def __init__(self, **rows):
        super().__init__(**rows)
        self.began, self.go = threading.Event(), threading.Event()

    def __call__(self, seconds):
        self.began.set()
        assert self.go.wait(10)
        return super().__call__(seconds)


@pytest.fixture(autouse=True)
def clock(monkeypatch, settings):
    settings.TOKENS_REVOCATION_LAG, settings.TOKENS_REVOCATION_GRACE = LAG, GRACE
    settings.TOKENS_ACCESS_LIFETIME = LIFETIME
    clock = Clock()
    monkeypatch.setattr(revocation, "monotonic", clock)
    return clock


@pytest.fixture
def table():
    """One row has changed."""
    return Table(a=CHANGED)


@pytest.fixture
def known():
    """The list of a process that has just started."""
    return LocalRevocationList()


class TestEntry:
    def test_a_row_that_changed_has_one_by_its_text_and_another_has_none(self, known, table):
        table.rows[key := uuid4()] = CHANGED
        assert known.entry(str(key), table).change == known.entry("a", table).change == hash(CHANGED)
        assert known.entry("b", table) is None

    def test_it_stays_the_same_until_the_row_changes_again(self, known, table, clock):
        first = known.entry("a", table)
        clock.now += 2 * LAG
        assert known.entry("a", table) is first
        table.rows["a"] = CHANGED + timedelta(seconds=1)
        clock.now += 2 * LAG
        assert known.entry("a", table).change != first.change

    def test_an_error_that_is_not_the_databases_comes_out(self, known, table):
        table.error = TypeError()
        with pytest.raises(TypeError):
            known.entry("a", table)


class TestHowOftenItAsks:
    def test_at_most_once_in_every_lag(self, known, table, clock):
        for wait, asked in ((0, 1), (LAG - 0.001, 1), (0.001, 2)):
            clock.now += wait
            known.entry("a", table)
            known.entry("b", table)
            assert len(table.asked) == asked

    def test_without_a_lag_each_time(self, known, table, settings):
        settings.TOKENS_REVOCATION_LAG = 0
        for _ in range(5):
            known.entry("a", table)
        assert len(table.asked) == 5

    def test_the_whole_window_once_a_minute_and_after_a_long_silence_and_increments_between(self, known, table, clock):
        for _ in range(122):
            known.entry("a", table)
            clock.now += 1
        assert [place for place, seconds in enumerate(table.asked) if seconds == WHOLE] == [0, 60, 120]
        assert set(table.asked) == {WHOLE, 1 + OVERLAP}
        clock.now += 10**6
        known.entry("a", table)
        assert table.asked[-1] == WHOLE

    def test_an_increment_reaches_back_to_the_last_good_reading_and_a_minute_more(self, known, table, clock):
        known.entry("a", table)
        for table.error in (GONE, GONE, None):
            clock.now += 10
            known.entry("a", table)
        assert table.asked[1:] == [10 + 60, 20 + 60, 30 + 60]

    def test_a_whole_reading_that_failed_is_tried_again(self, known, table, clock):
        known.entry("a", table)
        for table.error, wait in ((GONE, 60), (None, 1)):
            clock.now += wait
            known.entry("a", table)
        assert table.asked == [WHOLE] * 3


class TestMark:
    def test_a_change_made_here_is_an_entry_of_its_own_at_once_and_asks_nobody(self, known, table):
        known.entry("a", table)
        known.add(["a", "b"])
        assert known.entry("a", table).change is None
        assert known.entry("b", table)
        assert len(table.asked) == 1

    def test_a_reading_that_began_before_does_not_undo_it(self, known, clock):
        def read(seconds):
            known.add(["a"])  # while the answer is on its way
            return []

        assert known.entry("a", read)
        clock.now += LAG
        assert known.entry("a", Table())

    def test_many_threads_may_add_and_ask_at_once(self, known, settings):
        settings.TOKENS_REVOCATION_LAG = 0
        table = Table(**{f"row {number}": CHANGED for number in range(200)})

        def add(name):
            for number in range(200):
                known.add([f"{name} {number}"])
                assert known.entry(f"{name} {number}", table)

        together([lambda name=name: add(name) for name in "abcd"])
        assert all(known.entry(f"{name} {number}", table) for name in "abcd" for number in range(200))


class TestForget:
    def test_it_starts_anew(self, known, table):
        known.entry("a", table)
        known.add(["b"])
        known.forget()
        assert known.entry("b", table) is None
        assert table.asked == [WHOLE] * 2


class TestHowLongAnEntryIsKept:
    def after(self, known, table, clock, seconds):
        """Return the entry for `a` once `seconds` more have passed, in which the list was asked again and again."""
        entry = None
        for _ in range(int(seconds) // 10):
            clock.now += 10
            entry = known.entry("a", table)
        return entry

    @pytest.mark.parametrize("told", ["read", "added"])
    def test_one_lifetime_and_a_minute_from_when_it_was_heard(self, known, clock, told):
        known.entry("a", Table(a=CHANGED) if told == "read" else Table())
        if told == "added":
            known.add(["a"])
        assert self.after(known, Table(), clock, LIFETIME + 60)
        assert self.after(known, Table(), clock, 70) is None

    def test_a_newer_change_counts_from_then_on(self, known, table, clock):
        known.entry("a", table)
        assert self.after(known, table, clock, LIFETIME)
        assert self.after(known, Table(a=CHANGED + timedelta(hours=1)), clock, 10)
        assert self.after(known, Table(), clock, LIFETIME)

    def test_a_change_that_is_still_in_the_window_is_not_heard_of_once_more(self, known, table, clock):
        """The window is two lifetimes long: a row would otherwise be asked for three, at each request."""
        known.entry("a", table)
        assert self.after(known, table, clock, LIFETIME + 60)
        assert self.after(known, table, clock, LIFETIME - 130) is None

    def test_nothing_is_kept_for_ever(self, known, clock):
        known.add(str(number) for number in range(1000))
        self.after(known, Table(), clock, 3 * LIFETIME)
        assert not known._entries


class TestWhenNobodyAnswers:
    def test_a_process_that_never_read_says_so_and_asks_no_more_often_and_heals_by_itself(self, known, table, clock):
        table.error = GONE
        for _ in range(10):
            with pytest.raises(
                RevocationListUnavailable, match=r"^The revocation list could not be read for too long\.$"
            ):
                known.entry("a", table)
        assert len(table.asked) == 1
        table.error = None
        clock.now += LAG
        assert known.entry("a", table)

    @pytest.mark.parametrize("grace", [GRACE, 0])
    def test_for_a_while_it_goes_by_what_it_knows(self, known, table, clock, settings, grace):
        settings.TOKENS_REVOCATION_GRACE = grace
        known.entry("a", table)
        table.error = DatabaseError("gone")
        clock.now += LAG + grace
        assert known.entry("a", table)
        assert known.entry("b", table) is None
        clock.now += 0.001
        for sid in "ab":
            with pytest.raises(RevocationListUnavailable):
                known.entry(sid, table)

    def test_an_answer_that_breaks_off_is_none(self, known, table, clock):
        def broken(seconds):
            yield "a", CHANGED
            raise OperationalError("gone")

        with pytest.raises(RevocationListUnavailable):
            known.entry("a", broken)
        clock.now += LAG
        known.entry("a", table)
        assert table.asked == [WHOLE]


class TestManyThreads:
    def test_they_cause_one_reading(self, known, table):
        entries = together([lambda: known.entry("a", table)] * 20)
        assert len(table.asked) == len(set(entries)) == 1

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

    @pytest.mark.parametrize("silence", [None, 10 * GRACE], ids=["new process", "silence longer than the grace"])
    def test_whoever_knows_nothing_recent_waits_for_the_reading_under_way(self, known, clock, silence):
        if silence:
            known.entry("a", Table())
            clock.now += silence
        slow, told = Slow(a=CHANGED), []
        threads = [threading.Thread(target=lambda: told.append(known.entry("a", slow))) for _ in range(2)]
        threads[0].start()
        assert slow.began.wait(10)
        threads[1].start()
        threads[1].join(0.05)  # a thread that does not wait has answered by then
        slow.go.set()
        for thread in threads:
            thread.join(10)
        assert [entry and entry.change for entry in told] == [hash(CHANGED)] * 2
        assert len(slow.asked) == 1

    def test_a_slow_reading_holds_nobody_up_while_what_is_known_is_good(self, known, clock):
        known.entry("a", Table())
        clock.now += LAG
        slow = Slow(b=CHANGED)
        reader = threading.Thread(target=known.entry, args=("a", slow))
        reader.start()
        assert slow.began.wait(10)
        assert known.entry("b", slow) is None
        slow.go.set()
        reader.join(10)
