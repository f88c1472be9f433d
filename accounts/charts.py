"""Compute where the bars of a chart stand, in per cent of its width and height; its template decides how large it is.

The figures are text, because a template would write a number in the format of the reader's language, and no browser
accepts 14,3 %.
"""

from collections.abc import Sequence
from dataclasses import dataclass

MIN_HEIGHT = 3.0  # per cent, so that a count of one is visible beside a thousand
MIN_SCALE = 4  # so that a single count of one does not fill the chart
BAR_SHARE = 0.7  # of a bar's slot; the rest is a gap


@dataclass(frozen=True)
class Bar:
    """Hold the rectangle of a bar; its label is centred at `middle`."""

    x: str
    y: str
    width: str
    height: str
    middle: str


def bars(numbers: Sequence[int]) -> list[Bar]:
    """Return one bar for each of `numbers`, from left to right. None of them is negative."""
    highest = max([*numbers, MIN_SCALE])
    slot = 100 / max(len(numbers), 1)
    return [_bar(slot * index, slot, _height(count, highest)) for index, count in enumerate(numbers)]


def percent(length: float) -> str:
    """Return `length`, which is in per cent, as an SVG attribute."""
    return f"{length:.2f}%"


def _bar(left: float, slot: float, height: float) -> Bar:
    middle, width = left + slot / 2, slot * BAR_SHARE
    return Bar(percent(middle - width / 2), percent(100 - height), percent(width), percent(height), percent(middle))


def _height(count: int, highest: int) -> float:
    """Return the height of a bar in per cent; zero only for a count of zero."""
    return max(100 * count / highest, MIN_HEIGHT) if count else 0
