"""One dot for each rule, as an SVG written by hand: it brings its own background, for light and dark readers."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import log10

from .runs import Result
from .thieves import Kind

WIDTH, HEIGHT = 900, 520
LEFT, RIGHT, TOP, BOTTOM = 96, 40, 124, 84
SIGN_OUTS = (0.0, 1.0, 10.0, 100.0, 1000.0, 10_000.0)
STAYS = (0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 168.0)
Box = tuple[float, float, float, float]  # left, top, right, bottom
STYLE = """text { fill: #1b1f24 } .soft { fill: #5b6470 } .b { font-weight: 600 } .grid { stroke: #e4dfd6 }
    .axis { stroke: #8a939d } .ours { fill: #0b6e5f } .other { fill: #a4341f }"""


def draw(results: Sequence[Result]) -> str:
    """Return the picture: forced sign-outs to the right, the stay of the worst kind of thief upward."""
    parts = [*_frame(), *_axes(), *_dots(results)]
    return "\n".join(parts) + "\n"


def worst_stay(result: Result) -> tuple[Kind, float]:
    """Return the kind of thief that a rule leaves in for longest, and the median of their stays in hours."""
    stays = {kind: result.of([kind]).median_stay for kind in Kind}
    kind = max(stays, key=stays.__getitem__)
    return kind, stays[kind]


def _frame() -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="system-ui, sans-serif"'
        ' font-size="13" role="img" aria-labelledby="t d">',
        '  <title id="t">Forced sign-outs against the stay of a thief, rule by rule</title>',
        '  <desc id="d">Each dot is a rule of rotation. To the right: how often it signs honest people out. Upward: how'
        " long the kind of thief that suits it best stays. The lower left corner is where one wants to be.</desc>",
        f"  <style>\n    {STYLE}\n  </style>",
        f'  <rect width="{WIDTH}" height="{HEIGHT}" fill="#faf8f5" rx="12"/>',
        '  <text x="24" y="36" class="b" font-size="16">Honest people signed out, and thieves left in</text>',
        '  <text x="24" y="58" class="soft">Lower left is better. Both scales begin at 0 and grow by powers.</text>',
    ]


def _axes() -> list[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = []
    for value in SIGN_OUTS:
        parts.append(f'  <path class="grid" d="M{_x(value):.0f} {TOP}V{bottom}"/>')
        parts.append(
            f'  <text class="soft" x="{_x(value):.0f}" y="{bottom + 22}" text-anchor="middle">{value:,.0f}</text>'
        )
    for value in STAYS:
        parts.append(f'  <path class="grid" d="M{LEFT} {_y(value):.0f}H{right}"/>')
        parts.append(
            f'  <text class="soft" x="{LEFT - 10}" y="{_y(value) + 4:.0f}" text-anchor="end">{value:.0f} h</text>'
        )
    return [
        *parts,
        f'  <path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}" fill="none"/>',
        f'  <text x="{(LEFT + right) / 2:.0f}" y="{HEIGHT - 24}" text-anchor="middle">'
        "forced sign-outs of honest people, for each 1,000 user-days</text>",
        f'  <text x="{LEFT - 72}" y="{TOP - 38}">median stay of the thief that stays longest</text>',
    ]


def _dots(results: Sequence[Result]) -> list[str]:
    dots = [(_x(result.sign_outs), _y(worst_stay(result)[1])) for result in results]
    taken = [(x - 9, y - 9, x + 9, y + 9) for x, y in dots]
    parts = []
    for result, (x, y) in zip(results, dots, strict=True):
        kind, stay = worst_stay(result)
        words = f"{kind.value}, {stay:.1f} h"
        left, top, anchor = _free_place(x, y, 7.4 * max(len(result.rule), len(words)), taken)
        look = "ours" if result.rule.startswith("siblings") else "other"
        parts += [
            f'  <circle class="{look}" cx="{x:.0f}" cy="{y:.0f}" r="7"/>',
            _text(left, top + 13, result.rule, anchor, "b"),
            _text(left, top + 29, words, anchor, "soft"),
        ]
    return [*parts, "</svg>"]


def _free_place(x: float, y: float, width: float, taken: list[Box]) -> tuple[float, float, str]:
    """Take the place where a label of two lines covers nothing, beside its dot if it can be."""
    beside = [(x + 14, y - 17, "start"), (x + 14, y - 38, "start"), (x - 14, y - 17, "end")]
    places = [*beside, (x, y - 46, "middle"), (x, y + 10, "middle")]
    for left, top, anchor in places:
        from_left = left - {"start": 0, "middle": width / 2, "end": width}[anchor]
        box = (from_left, top, from_left + width, top + 34)
        inside = box[0] >= 8 and box[2] <= WIDTH - 8 and box[3] <= HEIGHT - BOTTOM
        if inside and not any(_overlap(box, other) for other in taken):
            taken.append(box)
            return left, top, anchor
    return places[0]


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _text(x: float, y: float, words: str, anchor: str, look: str) -> str:
    return f'  <text class="{look}" x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(words)}</text>'


def _x(sign_outs: float) -> float:
    return LEFT + _place(sign_outs, SIGN_OUTS[-1]) * (WIDTH - LEFT - RIGHT)


def _y(hours: float) -> float:
    return HEIGHT - BOTTOM - _place(hours, STAYS[-1]) * (HEIGHT - TOP - BOTTOM)


def _place(value: float, highest: float) -> float:
    """Return a place between 0 and 1, by the logarithm of one more, so that zero has one."""
    return log10(1 + value) / log10(1 + highest)
