"""Draw the sessions of the last thirty days: when each began, was last used, and ended.

The chart needs no query beyond those of the page of sessions. Horizontal lengths are per cents of the chart's width,
vertical ones pixels; all of them are text, for the reason given in charts.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from unicodedata import east_asian_width

from django.utils import timezone

from accounts.account.sessions import Session
from accounts.charts import percent

SPAN = timedelta(days=30)  # as long as an ended session stays in the list
MARKS = ((30, "start"), (15, "middle"), (0, "end"))  # days ago, and the text-anchor of the date
MAX_BARS = 12  # With more of them the chart would be illegible.
ROW_HEIGHT = 40  # pixels: a line of text and the bar below it
MIN_WIDTH = 1.5  # per cent, so that a session of one minute is visible
MAX_LABEL = 26  # letters of a title; on a phone there is room for one more word beside it


@dataclass(frozen=True)
class Bar:
    """Hold the bar of a session, which starts at `x`: `used` wide until its last use, `whole` until its end or now."""

    session: Session
    live: bool
    y: str
    x: str
    used: str
    whole: str

    @property
    def label(self) -> str:
        """Return the session's title, cut to fit beside the bar."""
        return truncated(self.session.title, MAX_LABEL)


@dataclass(frozen=True)
class Mark:
    """Hold a date below the chart."""

    date: date
    x: str
    anchor: str


@dataclass(frozen=True)
class SessionChart:
    """Hold the bars, the dates below them, and how many sessions did not fit."""

    bars: list[Bar]
    marks: list[Mark]
    left_out: int

    @property
    def bottom(self) -> str:
        """Return where the bars end."""
        return str(len(self.bars) * ROW_HEIGHT)

    @property
    def height(self) -> str:
        """Return the height of the chart, dates included."""
        return str(len(self.bars) * ROW_HEIGHT + 24)

    @property
    def dates_y(self) -> str:
        """Return the baseline of the dates."""
        return str(len(self.bars) * ROW_HEIGHT + 18)


def draw(live: Sequence[Session], ended: Sequence[Session]) -> SessionChart:
    """Return a chart of the `live` sessions from the top, then those that have `ended`, as far as there is room."""
    now = timezone.now()
    shown = [*live, *ended][:MAX_BARS]
    bars = [_bar(session, row, row < len(live), now) for row, session in enumerate(shown)]
    return SessionChart(bars, _marks(now), len(live) + len(ended) - len(shown))


def truncated(text: str, max_width: int) -> str:
    """Return `text`, cut to `max_width` letters with an ellipsis; a Chinese one is as wide as two."""
    widths = [2 if east_asian_width(letter) in "WF" else 1 for letter in text]
    if sum(widths) <= max_width:
        return text
    fitting = sum(sum(widths[: index + 1]) < max_width for index in range(len(text)))
    return text[:fitting].rstrip() + "…"


def _bar(session: Session, row: int, live: bool, now: datetime) -> Bar:
    begin = _position(session.row.created_at, now)
    last_used = _position(now if session.is_current else session.row.last_used_at, now)
    end = _position(now if live else session.ended_at, now)
    begin = max(min(begin, end - MIN_WIDTH), 0)
    used = max(min(last_used, end) - begin, MIN_WIDTH)
    whole = max(end - begin, MIN_WIDTH)
    return Bar(session, live, str(row * ROW_HEIGHT), percent(begin), percent(used), percent(whole))


def _position(moment: datetime, now: datetime) -> float:
    """Return where `moment` is on the time axis: 0 is thirty days ago, and 100 is now."""
    return 100 * (1 - (now - moment) / SPAN)


def _marks(now: datetime) -> list[Mark]:
    moments = [(timezone.localtime(now - timedelta(days=ago)), anchor) for ago, anchor in MARKS]
    return [Mark(moment.date(), percent(_position(moment, now)), anchor) for moment, anchor in moments]
