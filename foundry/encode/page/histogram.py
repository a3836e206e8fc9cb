"""A histogram as inline SVG: no script, no request; its colours are the style sheet's classes."""

import math
from collections.abc import Mapping
from html import escape

WIDTH, HEIGHT = 520, 200
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 10, 36
TICKS = 4
BARS = 48  # wider ones are made of several bins


def histogram(counts: Mapping[int, int], step: int, limit: int, *, name: str, x: str) -> str:
    """Bars over bins of `step`, with a dashed line at `limit` where it lies within reach.

    Args:
        counts: The lower end of each bin and how many fall into it; empty bins may be left out.
        step: The width of a bin.
        limit: What the line marks.
        name: What the chart shows, in words.
        x: Label of the horizontal axis.
    """
    if not counts:
        return ""
    last, width = max(counts) + step, bar_width(counts, step)
    bars = dict[int, int]()
    for low, count in counts.items():
        bars[low // width * width] = bars.get(low // width * width, 0) + count
    reach = max(last, limit if limit <= 2 * last else 0)
    top = max(bars.values())
    body = "".join(_bar(low, width, count, reach, top) for low, count in sorted(bars.items()))
    line = f'<path class="limit" d="M{_x(limit, reach):.1f} {TOP}V{HEIGHT - BOTTOM}"/>'
    text = escape(name)
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{text}">'
        f"<title>{text}</title>{_axes(reach, top)}{body}{line if limit <= reach else ''}"
        f'<text class="middle" x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 4}">'
        f"{escape(x)}</text></svg>"
    )


def bar_width(counts: Mapping[int, int], step: int) -> int:
    """How wide a bar is: as many bins of `step` as leave at most `BARS` of them."""
    last = max(counts, default=0) + step
    return step * max(1, math.ceil(last / (step * BARS)))


def _bar(low: int, width: int, count: int, reach: int, top: int) -> str:
    left, right, y = _x(low, reach) + 0.5, _x(low + width, reach) - 0.5, _y(count, top)
    return (
        f'<rect class="bar" x="{left:.1f}" y="{y:.1f}" width="{max(1, right - left):.1f}" '
        f'height="{HEIGHT - BOTTOM - y:.1f}">'
        f"<title>{low}–{low + width - 1}: {count}</title></rect>"
    )


def _axes(reach: int, top: int) -> str:
    texts = [f'<text class="end" x="{LEFT - 6}" y="{_y(top, top) + 4:.1f}">{top}</text>']
    texts.append(f'<text class="end" x="{LEFT - 6}" y="{_y(0, top):.1f}">0</text>')
    for i in range(TICKS + 1):
        value = round(reach * i / TICKS)
        texts.append(
            f'<text class="middle" x="{_x(value, reach):.1f}" y="{HEIGHT - BOTTOM + 15}">'
            f"{value}</text>"
        )
    return f'<path class="grid" d="M{LEFT} {HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>{"".join(texts)}'


def _x(value: float, reach: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * value / reach


def _y(value: float, top: int) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top
