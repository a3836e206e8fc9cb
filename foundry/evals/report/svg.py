"""Charts as inline SVG: they cost a few kB, need no script, and print.

Colours and fonts are classes for the page's style sheet, so that a chart follows dark mode. Every
chart has a name for people who do not see it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

Point = tuple[float, float]

WIDTH, HEIGHT = 520, 240
LEFT, RIGHT, TOP, BOTTOM = 72, 10, 30, 40
TICKS = 4
LINE, HEADING, SIDE, SAID = 42, 34, 8, 180


@dataclass(frozen=True)
class Mark:
    """A value with its interval, what stands before it and after it, and its class."""

    label: str
    value: float
    low: float
    high: float
    said: str
    kind: str


def interval_chart(
    groups: Sequence[tuple[str, Sequence[Mark]]], *, low: float, high: float, name: str
) -> str:
    """Marks under headings, each a bar from 0 to its value with its interval as a whisker.

    Args:
        groups: Headings and their marks; values and intervals within `low` to `high`.
        low: The left end of the axis, at most 0.
        high: The right end, above 0.
        name: What the chart shows, in words.
    """

    def x(value: float) -> float:
        return SIDE + (WIDTH - 2 * SIDE - SAID) * (value - low) / (high - low)

    drawn, y = [], 0
    for heading, marks in groups:
        drawn.append(f'<text class="heading" x="{SIDE}" y="{y + 22}">{escape(heading)}</text>')
        y += HEADING
        for mark in marks:
            drawn.append(_mark(mark, y, x))
            y += LINE
    zero = f'<path class="grid" d="M{x(0):.1f} 0V{y}"/>'
    return _svg(f"0 0 {WIDTH} {y + SIDE}", name, zero + "".join(drawn), kind="chart intervals")


def _mark(mark: Mark, y: int, x: Callable[[float], float]) -> str:
    left, right = sorted((x(0), x(mark.value)))
    a, b, middle = x(mark.low), x(mark.high), y + 25
    return (
        f'<text x="{SIDE}" y="{y + 12}">{escape(mark.label)}</text>'
        f'<text class="end" x="{WIDTH - SIDE}" y="{middle + 4}">{escape(mark.said)}</text>'
        f'<rect class="{escape(mark.kind)}" x="{left:.1f}" y="{middle - 5}" '
        f'width="{right - left:.1f}" height="10"/>'
        f'<path class="whisker" d="M{a:.1f} {middle}H{b:.1f}'
        f'M{a:.1f} {middle - 4}v8M{b:.1f} {middle - 4}v8"/>'
    )


def line_chart(series: Sequence[tuple[str, Sequence[Point]]], *, name: str, x: str, y: str) -> str:
    """Lines over a common axis that holds 0; `series` are (class, points) with x ascending.

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
    least, most = (pick(py for _px, py in points) for pick in (min, max))
    bottom = -_round_up(-least) if least < 0 else 0.0
    height = (_round_up(most) if most > 0 or not bottom else 0.0) - bottom
    moved = [(kind, [(px, py - bottom) for px, py in line]) for kind, line in series]
    lines = "".join(_line(kind, line, last, height) for kind, line in moved)
    body = f"{_grid(last, height, bottom)}{lines}{_label(x, y)}"
    return _svg(f"0 0 {WIDTH} {HEIGHT}", name, body, kind="chart")


def band_chart(
    points: Sequence[tuple[float, float, float, float]], *, name: str, x: str, y: str
) -> str:
    """A line with its interval as a band; the axis holds 0 and everything that is drawn.

    Args:
        points: (x, value, low, high), all finite, x ascending.
        name: What the chart shows, in words.
        x: Label of the horizontal axis.
        y: Label of the vertical axis.
    """
    if not points:
        return ""
    last = max(1.0, points[-1][0])
    least, most = (pick(pick(point[1:]) for point in points) for pick in (min, max))
    bottom = -_round_up(-least) if least < 0 else 0.0
    height = (_round_up(most) if most > 0 else 0.0) - bottom or 1.0

    def placed(values: Sequence[Point]) -> str:
        return " ".join(f"{_x(px, last):.1f},{_y(py - bottom, height):.1f}" for px, py in values)

    edge = [(p[0], p[3]) for p in points] + [(p[0], p[2]) for p in reversed(points)]
    body = (
        f'{_grid(last, height, bottom)}<polygon class="band" points="{placed(edge)}"/>'
        f'<polyline class="line reward" points="{placed([p[:2] for p in points])}"/>{_label(x, y)}'
    )
    return _svg(f"0 0 {WIDTH} {HEIGHT}", name, body, kind="chart")


@dataclass(frozen=True)
class Dot:
    """A point with its range on both axes, what is written beside it, its name and its class."""

    mark: str
    name: str
    x: tuple[float, float, float]
    y: tuple[float, float, float]
    kind: str


def scatter_chart(
    dots: Sequence[Dot],
    *,
    name: str,
    x: str,
    y: str,
    shown: tuple[Callable[[float], str], Callable[[float], str]],
) -> str:
    """Points with their ranges as crosses, from 0 to the right and around the values upwards.

    Args:
        dots: `x` and `y` are (value, low, high), all finite.
        name: What the chart shows, in words.
        x: Label of the horizontal axis.
        y: Label of the vertical axis.
        shown: How a number of either axis is written.
    """
    last = max(dot.x[2] for dot in dots) * 1.1 or 1.0
    least, most = min(dot.y[1] for dot in dots), max(dot.y[2] for dot in dots)
    room = 0.08 * (most - least) or 0.05
    low, high = least - room, most + room

    def up(value: float) -> float:
        return _y(value - low, high - low)

    grid, texts = [], []
    for i in range(TICKS + 1):
        value, along = low + (high - low) * i / TICKS, last * i / TICKS
        grid.append(f"M{LEFT} {up(value):.1f}H{WIDTH - RIGHT}")
        at, below = _x(along, last), HEIGHT - BOTTOM + 16
        told, right = escape(shown[1](value)), escape(shown[0](along))
        where = "end" if i == TICKS else "middle"
        texts.append(f'<text class="end" x="{LEFT - 6}" y="{up(value) + 4:.1f}">{told}</text>')
        texts.append(f'<text class="{where}" x="{at:.1f}" y="{below}">{right}</text>')
    drawn = "".join(_dot(dot, lambda value: _x(value, last), up) for dot in dots)
    body = f'<path class="grid" d="{"".join(grid)}"/>{"".join(texts)}{drawn}{_label(x, y)}'
    return _svg(f"0 0 {WIDTH} {HEIGHT}", name, body, kind="chart")


def _dot(dot: Dot, x: Callable[[float], float], y: Callable[[float], float]) -> str:
    (middle, left, right), (level, bottom, top) = map(x, dot.x), map(y, dot.y)
    return (
        f'<path class="whisker" d="M{left:.1f} {level:.1f}H{right:.1f}'
        f'M{middle:.1f} {bottom:.1f}V{top:.1f}"/>'
        f'<circle class="{escape(dot.kind)}" cx="{middle:.1f}" cy="{level:.1f}" r="6">'
        f"<title>{escape(dot.name)}</title></circle>"
        f'<text class="heading" x="{middle + 9:.1f}" y="{level - 8:.1f}">{escape(dot.mark)}</text>'
    )


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


def _grid(last: float, height: float, bottom: float = 0.0) -> str:
    rules, texts = [], []
    for i in range(TICKS + 1):
        up, step = height * i / TICKS, round(last * i / TICKS)
        value, y, x = bottom + up, _y(up, height), _x(step, last)
        rules.append(f"M{LEFT} {y:.1f}H{WIDTH - RIGHT}")
        texts.append(f'<text class="end" x="{LEFT - 6}" y="{y + 4:.1f}">{value:g}</text>')
        texts.append(f'<text class="middle" x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}">{step}</text>')
    return f'<path class="grid" d="{"".join(rules)}"/>{"".join(texts)}'


def _label(x: str, y: str) -> str:
    middle = (LEFT + WIDTH - RIGHT) / 2
    return (
        f'<text class="middle" x="{middle:.0f}" y="{HEIGHT - 6}">{escape(x)}</text>'
        f'<text x="0" y="14">{escape(y)}</text>'
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
