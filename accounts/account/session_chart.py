"""The sessions of the last thirty days as a picture: when each began, was last seen, and ended.

It is made of what the page of sessions has read anyway, and costs no query. Lengths along the time are per cents of the
picture's width, those down the page pixels; all of them text, as charts.py says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from unicodedata import east_asian_width

from django.utils import timezone

from accounts.account.sessions import Session
from accounts.charts import percent

SPAN = timedelta(days=30)  # as long as a session that is over stays in the list
MARKS = ((30, "start"), (15, "middle"), (0, "end"))  # days ago, and where their words are anchored
MOST = 12  # bars; with more of them it is no picture
ROW = 40  # pixels: a line of text and the bar below it
LEAST = 1.5  # per cent: a session of one minute is seen
WIDEST = 26  # letters of a title; beside it, on a phone, there is room for one word


@dataclass(frozen=True)
class Bar:
    """From `x` on it is `used` wide until the session was last seen, and `whole` until its end, or now."""

    session: Session
    live: bool
    y: str
    x: str
    used: str
    whole: str

    @property
    def label(self) -> str:
        return truncated(self.session.title, WIDEST)


@dataclass(frozen=True)
class Mark:
    date: date
    x: str
    anchor: str


@dataclass(frozen=True)
class SessionChart:
    bars: list[Bar]
    marks: list[Mark]
    left_out: int

    @property
    def bottom(self) -> str:
        return str(len(self.bars) * ROW)

    @property
    def height(self) -> str:
        return str(len(self.bars) * ROW + 24)

    @property
    def words_y(self) -> str:
        return str(len(self.bars) * ROW + 18)


def draw(live: Sequence[Session], ended: Sequence[Session]) -> SessionChart:
    """Those that are `live` from the top, then those that have `ended`, as long as there is room."""
    now = timezone.now()
    shown = [*live, *ended][:MOST]
    bars = [_bar(session, row, row < len(live), now) for row, session in enumerate(shown)]
    return SessionChart(bars, _marks(now), len(live) + len(ended) - len(shown))


def truncated(text: str, widest: int) -> str:
    """`text`, or as much of it as is `widest` letters wide; a Chinese one is as wide as two."""
    widths = [2 if east_asian_width(letter) in "WF" else 1 for letter in text]
    if sum(widths) <= widest:
        return text
    fitting = sum(sum(widths[: number + 1]) < widest for number in range(len(text)))
    return text[:fitting].rstrip() + "…"


def _bar(session: Session, row: int, live: bool, now: datetime) -> Bar:
    begin = _position(session.row.created_at, now)
    seen = _position(now if session.here else session.row.last_used_at, now)
    end = _position(now if live else session.ended_at, now)
    begin = max(min(begin, end - LEAST), 0)
    used = max(min(seen, end) - begin, LEAST)
    whole = max(end - begin, LEAST)
    return Bar(session, live, str(row * ROW), percent(begin), percent(used), percent(whole))


def _position(moment: datetime, now: datetime) -> float:
    """Where it is on the line of time: 0 is thirty days ago, and 100 is now."""
    return 100 * (1 - (now - moment) / SPAN)


def _marks(now: datetime) -> list[Mark]:
    moments = [(timezone.localtime(now - timedelta(days=ago)), anchor) for ago, anchor in MARKS]
    return [Mark(moment.date(), percent(_position(moment, now)), anchor) for moment, anchor in moments]
