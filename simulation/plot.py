"""One dot for each rule, as an SVG written by hand: it brings its own background, for light and dark readers."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import log10

from .runs import Result
from .thieves import Kind

WIDTH, HEIGHT = 900, 520
LEFT, RIGHT, TOP, BOTTOM = 96, 40, 96, 84
SIGN_OUTS = (0.0, 1.0, 10.0, 100.0, 1000.0, 10_000.0)
STAYS = (0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 168.0)
STYLE = """text { fill: #1b1f24 } .soft { fill: #5b6470 } .b { font-weight: 600 } .grid { stroke: #e4dfd6 }
    .axis { stroke: #8a939d } .ours { fill: #0b6e5f } .other { fill: #a4341f }"""


def draw(results: Sequence[Result]) -> str:
    """The picture: forced sign-outs to the right, the stay of the worst kind of thief upward; the first is ours."""
    parts = [*_frame(), *_axes(), *_dots(results)]
    return "\n".join(parts) + "\n"


def worst_stay(result: Result) -> tuple[Kind, float]:
    """The kind of thief that a rule leaves in for longest, and the median of their stays in hours."""
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
        '  <text x="24" y="58" class="soft">Lower left is better. Both scales begin at nought and grow by powers.</text>',
    ]


def _axes() -> list[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = []
    for value in SIGN_OUTS:
        parts.append(f'  <path class="grid" d="M{_x(value):.0f} {TOP}V{bottom}"/>')
        parts.append(f'  <text class="soft" x="{_x(value):.0f}" y="{bottom + 22}" text-anchor="middle">{value:,.0f}</text>')
    for value in STAYS:
        parts.append(f'  <path class="grid" d="M{LEFT} {_y(value):.0f}H{right}"/>')
        parts.append(f'  <text class="soft" x="{LEFT - 10}" y="{_y(value) + 4:.0f}" text-anchor="end">{value:.0f} h</text>')
    return [
        *parts,
        f'  <path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}" fill="none"/>',
        f'  <text x="{(LEFT + right) / 2:.0f}" y="{HEIGHT - 24}" text-anchor="middle">'
        "forced sign-outs of honest people, for each 1,000 user-days</text>",
        f'  <text x="{LEFT - 72}" y="{TOP - 14}">median stay of the kind of thief that stays longest</text>',
    ]


def _dots(results: Sequence[Result]) -> list[str]:
    parts = []
    for place, result in enumerate(results):
        kind, stay = worst_stay(result)
        x, y = _x(result.sign_outs), _y(stay)
        side, anchor = (-14, "end") if x > WIDTH * 0.7 else (14, "start")
        parts += [
            f'  <circle class="{"other" if place else "ours"}" cx="{x:.0f}" cy="{y:.0f}" r="7"/>',
            f'  <text class="b" x="{x + side:.0f}" y="{y - 2:.0f}" text-anchor="{anchor}">{escape(result.rule)}</text>',
            f'  <text class="soft" x="{x + side:.0f}" y="{y + 14:.0f}" text-anchor="{anchor}">{kind.value}, {stay:.1f} h</text>',
        ]
    return [*parts, "</svg>"]


def _x(sign_outs: float) -> float:
    return LEFT + _place(sign_outs, SIGN_OUTS[-1]) * (WIDTH - LEFT - RIGHT)


def _y(hours: float) -> float:
    return HEIGHT - BOTTOM - _place(hours, STAYS[-1]) * (HEIGHT - TOP - BOTTOM)


def _place(value: float, highest: float) -> float:
    """Between 0 and 1, by the logarithm of one more, so that nought has a place."""
    return log10(1 + value) / log10(1 + highest)
