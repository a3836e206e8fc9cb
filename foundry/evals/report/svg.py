"""Charts as inline SVG: they cost a few kB, need no script, and print.

Colours and fonts are classes for the page's style sheet, so that a chart follows dark mode. Every
chart has a name for people who do not see it.
"""

import math
from collections.abc import Sequence
from html import escape

Point = tuple[float, float]

WIDTH, HEIGHT = 520, 240
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 12, 40
TICKS = 4


def line_chart(series: Sequence[tuple[str, Sequence[Point]]], *, name: str, x: str, y: str) -> str:
    """Lines over a common axis from 0 up; `series` are (class, points) with x ascending.

    Args:
        series: Each line's class and its points, all finite.
        name: What the chart shows, in words.
        x: Label of the horizontal axis.
        y: Label of the vertical axis.
    """
    points = [point for _kind, line in series for point in line]
    if not points:
        return ""
    last = max(1.0, *(px for px, _py in points))
    top = _round_up(max(py for _px, py in points))
    lines = "".join(_line(kind, line, last, top) for kind, line in series)
    body = f"{_grid(last, top)}{lines}{_label(x, y)}"
    return _svg(f"0 0 {WIDTH} {HEIGHT}", name, body, kind="chart")


def bar(share: float, low: float, high: float, *, name: str, kind: str) -> str:
    """A bar of `share` (0..1) with its interval as a whisker; as wide as the page lets it be."""
    width, a, b = (f"{100 * value:.2f}" for value in (share, low, high))
    body = (
        f'<rect class="track" width="100" height="10"/>'
        f'<rect class="{escape(kind)}" width="{width}" height="10"/>'
        f'<path class="whisker" d="M{a} 5H{b}M{a} 2.5V7.5M{b} 2.5V7.5"/>'
    )
    return _svg("0 0 100 10", name, body, kind="bar", stretch=True)


def _svg(box: str, name: str, body: str, *, kind: str, stretch: bool = False) -> str:
    aspect = ' preserveAspectRatio="none"' if stretch else ""
    text = escape(name)
    return (
        f'<svg class="{kind}" viewBox="{box}"{aspect} role="img" aria-label="{text}">'
        f"<title>{text}</title>{body}</svg>"
    )


def _line(kind: str, points: Sequence[Point], last: float, top: float) -> str:
    where = " ".join(f"{_x(px, last):.1f},{_y(py, top):.1f}" for px, py in points)
    return f'<polyline class="line {escape(kind)}" points="{where}"/>'


def _grid(last: float, top: float) -> str:
    rules, texts = [], []
    for i in range(TICKS + 1):
        value, step = top * i / TICKS, round(last * i / TICKS)
        y, x = _y(value, top), _x(step, last)
        rules.append(f"M{LEFT} {y:.1f}H{WIDTH - RIGHT}")
        texts.append(f'<text class="end" x="{LEFT - 6}" y="{y + 4:.1f}">{value:g}</text>')
        texts.append(f'<text class="middle" x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}">{step}</text>')
    return f'<path class="grid" d="{"".join(rules)}"/>{"".join(texts)}'


def _label(x: str, y: str) -> str:
    middle, half_way = (LEFT + WIDTH - RIGHT) / 2, (HEIGHT - BOTTOM + TOP) / 2
    return (
        f'<text class="middle" x="{middle:.0f}" y="{HEIGHT - 6}">{escape(x)}</text>'
        f'<text class="middle" transform="translate(12 {half_way:.0f}) rotate(-90)">'
        f"{escape(y)}</text>"
    )


def _x(value: float, last: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * value / last


def _y(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top


def _round_up(value: float) -> float:
    """The next 1, 2, 4 or 8 times a power of ten, which four ticks divide evenly."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 8, 10) if value <= step * power)
