"""Bars, as an SVG written by hand: it brings its own background, for light and dark readers."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, LEFT, RIGHT, TOP, ROW = 960, 390, 110, 84, 28
STYLE = """text { fill: #1b1f24 } .soft { fill: #5b6470 } .b { font-weight: 600 }
    .ours { fill: #0b6e5f } .other { fill: #b9b2a6 }"""

Bar = tuple[str, float, str, bool]  # what, how much, the same in words, whether it is ours


def draw(title: str, note: str, bars: Sequence[Bar]) -> str:
    """Return a bar for each, all on one scale that begins at zero."""
    height = TOP + ROW * len(bars) + 20
    highest = max((value for _, value, _, _ in bars), default=0) or 1
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="system-ui, sans-serif"'
        ' font-size="13" role="img" aria-labelledby="t d">',
        f'  <title id="t">{escape(title)}</title>',
        f'  <desc id="d">{escape(note)} {escape("; ".join(f"{what}: {words}" for what, _, words, _ in bars))}.</desc>',
        f"  <style>\n    {STYLE}\n  </style>",
        f'  <rect width="{WIDTH}" height="{height}" fill="#faf8f5" rx="12"/>',
        f'  <text x="24" y="36" class="b" font-size="16">{escape(title)}</text>',
        f'  <text x="24" y="58" class="soft">{escape(note)}</text>',
    ]
    for place, (what, value, words, ours) in enumerate(bars):
        top = TOP + ROW * place
        width = max(1.0, value / highest * (WIDTH - LEFT - RIGHT))
        look = ' class="b"' if ours else ""
        parts += [
            f'  <text x="{LEFT - 12}" y="{top + 14}" text-anchor="end"{look}>{escape(what)}</text>',
            f'  <rect class="{"ours" if ours else "other"}" x="{LEFT}" y="{top}" width="{width:.1f}" height="18"/>',
            f'  <text x="{LEFT + width + 8:.1f}" y="{top + 14}"{look}>{escape(words)}</text>',
        ]
    return "\n".join((*parts, "</svg>")) + "\n"
