"""Derive the colours of the site from one accent, in light and in dark, so that words stay readable (WCAG 2.2 AA)."""

from dataclasses import dataclass
from functools import cache

ENOUGH = 4.5  # contrast of words, WCAG 2.2 §1.4.3
LIGHT, DARK = ("#ffffff", "#faf8f5"), ("#1b1f25", "#14171b")  # a card and the page, as in static/css/sojourn.css
WHITE, BLACK = "#ffffff", "#000000"


class TooFaint(ValueError):
    """Report an accent that cannot be read on the pages; the message is the sentence to print."""


@dataclass(frozen=True)
class Shades:
    """Hold the accent in light or in dark: for words and buttons, under the pointer, on it, and as a tint."""

    accent: str
    strong: str
    on: str
    tint: str


@dataclass(frozen=True)
class Palette:
    """Hold the shades of the accent."""

    light: Shades
    dark: Shades


DEFAULT = Palette(
    Shades("#0b6e5f", "#085548", "#ffffff", "#e7f2ef"), Shades("#5cc7b2", "#7fd8c6", "#0b1f1b", "#17302b")
)


@cache
def palette(accent: str) -> Palette:
    """Return the shades of `accent`, such as "#7a1fa2", or those of sojourn.css for "". Raise TooFaint.

    In light it is used as it is. Nothing reads well on both white and black, so in dark it is lightened.
    """
    if not accent:
        return DEFAULT
    found = worst(accent, *LIGHT)
    if found < ENOUGH:
        darker = next(shade for shade in steps(accent, BLACK) if worst(shade, *LIGHT) >= ENOUGH)
        raise TooFaint(
            f"has a contrast of {found:.2f} on the pages, and words need {ENOUGH}; {darker} is as light as it may be."
        )
    lighter = next(shade for shade in steps(accent, WHITE) if worst(shade, *DARK) >= 7)  # as AAA asks: glare is less
    return Palette(
        Shades(accent, mixed(accent, BLACK, 25), WHITE, tint(accent, LIGHT[0])),
        Shades(lighter, mixed(lighter, WHITE, 25), DARK[1], tint(lighter, DARK[0])),
    )


def tint(accent: str, card: str) -> str:
    """Return the strongest tint of a card, up to a tenth, on which the accent can still be read."""
    tints = (mixed(card, accent, percent) for percent in range(10, -1, -1))
    return next(shade for shade in tints if worst(accent, shade) >= ENOUGH)


def steps(colour: str, towards: str) -> list[str]:
    """Return the colour in 101 shades, from itself to the other one."""
    return [mixed(colour, towards, percent) for percent in range(101)]


def mixed(one: str, other: str, percent: int) -> str:
    """Return `one` with so much of `other` in it."""
    pairs = zip(bytes.fromhex(one[1:]), bytes.fromhex(other[1:]), strict=True)
    return "#" + bytes(round(a + (b - a) * percent / 100) for a, b in pairs).hex()


def worst(colour: str, *backgrounds: str) -> float:
    """Return the least contrast that the colour has with any of the backgrounds (WCAG 2.2, contrast ratio)."""
    return min(
        (max(pair) + 0.05) / (min(pair) + 0.05) for pair in ((_luminance(colour), _luminance(b)) for b in backgrounds)
    )


def _luminance(colour: str) -> float:
    parts = [byte / 255 for byte in bytes.fromhex(colour[1:])]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
