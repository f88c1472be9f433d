"""Draw the sessions of the last thirty days: when each began, was last used, and ended.

The chart needs no query beyond those of the page of sessions. Lengths are per cents of its width, as text, for the
reason given in charts.py. The words beside the bars are HTML, which is cut, wraps and grows as the reader's letters do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from accounts.account.sessions import Session
from accounts.charts import percent

SPAN = timedelta(days=30)  # as long as an ended session stays in the list
MARKS = (30, 15, 0)  # days ago: the style sheet spreads the dates evenly
MAX_BARS = 8  # nearly as many as the page lists, which has to stay light
MIN_WIDTH = 1.5  # per cent, so that a session of one minute is visible


@dataclass(frozen=True)
class Bar:
    """Hold the bar of a session, which starts at `x`: `used` wide until its last use, `whole` until its end or now."""

    session: Session
    live: bool
    x: str
    used: str
    whole: str


@dataclass(frozen=True)
class SessionChart:
    """Hold the bars, the dates below them, and how many sessions did not fit."""

    bars: list[Bar]
    dates: list[datetime]
    left_out: int


def draw(live: Sequence[Session], ended: Sequence[Session]) -> SessionChart:
    """Return a chart of the `live` sessions from the top, then those that have `ended`, as far as there is room."""
    now = timezone.now()
    shown = [*live, *ended][:MAX_BARS]
    bars = [_bar(session, number < len(live), now) for number, session in enumerate(shown)]
    dates = [now - timedelta(days=ago) for ago in MARKS]
    return SessionChart(bars, dates, len(live) + len(ended) - len(shown))


def _bar(session: Session, live: bool, now: datetime) -> Bar:
    begin = _position(session.row.created_at, now)
    last_used = _position(now if session.is_current else session.row.last_used_at, now)
    end = _position(now if live else session.ended_at, now)
    begin = max(min(begin, end - MIN_WIDTH), 0)
    used = max(min(last_used, end) - begin, MIN_WIDTH)
    whole = max(end - begin, MIN_WIDTH)
    return Bar(session, live, percent(begin), percent(used), percent(whole))


def _position(moment: datetime, now: datetime) -> float:
    """Return where `moment` is on the time axis: 0 is thirty days ago, and 100 is now."""
    return 100 * (1 - (now - moment) / SPAN)
